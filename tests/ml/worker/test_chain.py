"""Tasks in one Python pass give the arrays that they give one by one, however each cuts its output."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.ml.worker.chain import ChainStep, ChainTask
from sparkalbert.ml.worker.fields import TOKEN_LIST

LISTS = pa.list_(pa.string())
rows = st.lists(st.none() | st.lists(st.sampled_from("abc"), max_size=3), max_size=8)


class Cut:
    """A task that adds a letter to every item and yields arrays of some sizes, over batches as Spark passes them."""

    def __init__(self, letter, sizes):
        self.letter = letter
        self.sizes = sizes

    def __call__(self, batches):
        for columns in batches:
            done = [
                None if None in parts else ["".join(item) + self.letter for item in zip(*parts, strict=True)]
                for parts in zip(*(column.to_pylist() for column in columns), strict=True)
            ]
            start = 0
            for size in [*self.sizes, len(done)]:
                yield pa.array(done[start : start + size], LISTS)  # possibly of no rows
                start = min(start + size, len(done))


sizes = st.lists(st.integers(0, 3), max_size=4)


@given(batches=st.lists(rows, max_size=3), sizes=st.tuples(sizes, sizes, sizes), start=st.integers(0, 2))
def test_steps_read_what_spark_sent_and_what_earlier_steps_computed(batches, sizes, start):
    steps = [
        ChainStep(Cut("1", sizes[0]), [("given", TOKEN_LIST)], "first"),
        ChainStep(Cut("2", sizes[1]), [("first", TOKEN_LIST)], "second"),
        ChainStep(Cut("3", sizes[2]), [("given", TOKEN_LIST), ("second", TOKEN_LIST)], "third"),
    ]
    chain = ChainTask([("given", TOKEN_LIST)], steps)
    arrays = [pa.array([["x"]] * start + batch, LISTS).slice(start) for batch in batches]
    made = list(chain(iter([(array,) for array in arrays])))
    expected = [
        {
            "first": None if row is None else [f"{item}1" for item in row],
            "second": None if row is None else [f"{item}12" for item in row],
            "third": None if row is None else [f"{item}{item}123" for item in row],
        }
        for batch in batches
        for row in batch
    ]
    assert [row for array in made for row in array.to_pylist()] == expected
    for array in made:
        array.validate(full=True)
        assert array.type == pa.struct([(name, LISTS) for name in ("first", "second", "third")])


def test_no_batch_is_read_before_its_rows_are_wanted():
    """Rows that Spark asked for first must not wait for the whole partition."""
    read = []

    def batches():
        for number in range(5):
            read.append(number)
            yield (pa.array([["a"]] * 4, LISTS),)

    steps = [
        ChainStep(Cut("1", [2]), [("given", TOKEN_LIST)], "first"),
        ChainStep(Cut("2", [1]), [("first", TOKEN_LIST)], "second"),
    ]
    made = ChainTask([("given", TOKEN_LIST)], steps)(batches())
    assert [len(next(made)) for _ in range(4)] == [1, 1, 1, 1]
    assert read == [0]
