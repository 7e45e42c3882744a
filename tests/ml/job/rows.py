"""The rows that the jobs of these tests embed, and those that they wrote."""

from pyarrow import parquet

ROWS = [
    {"id": 1, "text": "The river was high. Nobody could cross it!"},
    {"id": 2, "text": None},
    {"id": 3, "text": ""},
    {"id": 4, "text": "Café 😀 prices: £5, then £9,"},
    {"id": 5, "text": " \t "},
    {"id": 6, "text": "A line\nand another"},
]


def rows_of(folder):
    return sorted(parquet.read_table(folder).to_pylist(), key=lambda row: row["id"])
