"""Stop words and normalized tokens; the results are compared with Spark NLP's in ml/stages/test_recorded_tokens.py."""

import pyarrow as pa
import pytest

from sparkalbert.ml.worker.arrow import ARROW_COLUMN_TYPE
from sparkalbert.ml.worker.token_tasks import NormalizeTask, StopWordTask
from sparkalbert.text.segmentation.normalized_tokens import NormalizerOptions


def token(begin, result, **metadata):
    length = len(result or "")
    return ("token", begin, begin + length - 1, result, list(metadata.items()), [1.0])


ROWS = [
    [token(0, "The", sentence="0", more="x"), token(4, "old-mill", sentence="0")],
    None,
    [],
    [token(3, None), ("token", 5, 7, "the", None, [])],
]
TASKS = {
    "stop words": (
        StopWordTask(("THE",), case_sensitive=False, locale=""),
        [[(4, 11, "old-mill", {"sentence": "0"})], None, [], [(3, 2, None, {})]],
    ),
    "stop words by case": (
        StopWordTask(("the",), case_sensitive=True, locale=""),
        [
            [(0, 2, "The", {"sentence": "0", "more": "x"}), (4, 11, "old-mill", {"sentence": "0"})],
            None,
            [],
            [(3, 2, None, {})],
        ],
    ),
    "normalized": (
        NormalizeTask(NormalizerOptions(lowercase=True, slang={"the": "This one"})),
        [
            [
                (0, 3, "this", {"sentence": "0", "more": "x"}),
                (0, 2, "one", {"sentence": "0", "more": "x"}),
                (4, 10, "oldmill", {"sentence": "0"}),
            ],
            None,
            [],
            [(5, 8, "this", None), (5, 7, "one", None)],
        ],
    ),
}


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("start", [0, 1, 3])
def test_rows(name, start):
    """Also of a slice of a larger array."""
    task, expected = TASKS[name]
    column = pa.array(ROWS, type=ARROW_COLUMN_TYPE).slice(start)
    made = pa.concat_arrays(list(task(iter([tuple(field.array(column) for field in task.inputs[0])]))))
    assert made.type == ARROW_COLUMN_TYPE
    made.validate(full=True)
    assert [row and [plain(one) for one in row] for row in made.to_pylist()] == expected[start:]


def plain(one):
    assert (one["annotatorType"], one["embeddings"]) == ("token", [])
    return (one["begin"], one["end"], one["result"], None if one["metadata"] is None else dict(one["metadata"]))
