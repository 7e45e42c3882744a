"""Rows that fail, on plain Arrow arrays: each is found, and the others are those of a run without them."""

import logging
import shutil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.bundle import Bundle
from sparkalbert.errors import BundleError, ColumnError, InferenceError, OutputError, ParamError
from sparkalbert.inference import EmbedderOptions, VectorSizes
from sparkalbert.ml.worker.embedding_tasks import TokenListTask
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel
from sparkalbert.ml.worker.row_counts import RowCounts
from sparkalbert.ml.worker.row_errors import MIN_ROWS, RowErrorsTask
from tests import tiny_bundle

LISTS = pa.list_(pa.string())
BAD = "a row that fails"
QUOTED = "what a user wrote"


class FailingTask(TokenListTask):
    """Fails for any group of rows in which one has a bad token."""

    error: Exception = ColumnError("The row is bad.")

    def __call__(self, batches):
        def checked():
            for (tokens,) in batches:
                self.check(tokens)
                yield (tokens,)

        return super().__call__(checked())

    def check(self, tokens):
        if any(BAD in (row or ()) for row in tokens.to_pylist()):
            raise self.error


class CountedTask(FailingTask):
    """Counts the tokens of each row, and twice as many windows."""

    def __call__(self, batches):
        for array in super().__call__(batches):
            tokens = np.array([len(row or ()) for row in array.to_pylist()])
            yield RowCounts(tokens, 2 * tokens, 0 * tokens).beside(array)


def model():
    return WorkerModel(ModelHandle.in_place(tiny_bundle.bundle()), EmbedderOptions(), 1, VectorSizes())


def batches(rows, size):
    arrays = pa.array(rows, LISTS)
    return [(arrays.slice(start, size),) for start in range(0, len(rows), size)]


def results(task, given_batches):
    return [row for array in task(iter(given_batches)) for row in array.to_pylist()]


@given(
    rows=st.lists(st.none() | st.lists(st.sampled_from(["river", "bank", BAD]), max_size=3), max_size=30),
    size=st.integers(1, 9),
)
def test_a_row_that_fails_is_null_and_the_others_are_untouched(rows, size):
    is_bad = [BAD in (row or ()) for row in rows]
    expected = results(TokenListTask(model()), batches(rows, size))
    found = results(RowErrorsTask(FailingTask(model()), "vectors", 1.0), batches(rows, size))
    assert [pair for (pair,) in found] == [
        {"value": None, "error": "The row is bad."} if bad else {"value": value, "error": None}
        for bad, value in zip(is_bad, expected, strict=True)
    ]


@pytest.mark.parametrize("fraction", [None, 1.0])
def test_a_row_that_fails_has_no_counts(fraction):
    rows = [["river", "bank"], None, ["bank"], *([] if fraction is None else [["river", BAD]]), [], ["river"]]
    plain = results(RowErrorsTask(FailingTask(model()), "vectors", 1.0), batches(rows, 2))
    found = results(RowErrorsTask(CountedTask(model()), "vectors", fraction, counted=True), batches(rows, 2))
    counts = [0 if pair["error"] else len(row or ()) for row, (pair,) in zip(rows, plain, strict=True)]
    assert [one for (one,) in found] == [
        {**(pair if fraction else {"value": pair["value"]}), "tokens": n, "windows": 2 * n, "pieceless_tokens": 0}
        for n, (pair,) in zip(counts, plain, strict=True)
    ]
    assert sum(counts) == 4


def test_in_the_batch_job_messages_name_the_options_of_the_command():
    first, many = (RowErrorsTask(FailingTask(model()), "text", fraction, in_job=True) for fraction in (None, 0.5))
    with pytest.raises(ColumnError, match=r"of column 'text' .* set onError to 'null' \(--on-error null\) to keep"):
        results(first, batches([[BAD]], 1))
    with pytest.raises(ColumnError, match=r"maxErrorFraction 0\.5 \(--max-error-fraction\) allows"):
        results(many, batches([[BAD]] * MIN_ROWS, 10))


@given(position=st.integers(0, 29), size=st.integers(1, 9))
def test_the_first_row_that_fails_is_named(position, size):
    rows = [["river", QUOTED]] * position + [[BAD]] + [[BAD]] * 3
    with pytest.raises(ColumnError) as raised:
        results(RowErrorsTask(FailingTask(model()), "vectors"), batches(rows, size))
    named = f"Row {position} in partition 0 of column 'vectors' cannot be embedded: The row is bad."
    assert str(raised.value).startswith(named)


@pytest.mark.parametrize("fraction", [None, 1.0])
def test_no_message_quotes_what_another_library_says(monkeypatch, fraction):
    monkeypatch.setattr(FailingTask, "error", UnicodeEncodeError("utf-8", QUOTED, 0, 1, QUOTED))
    task = RowErrorsTask(FailingTask(model()), "vectors", fraction)
    if fraction is None:
        with pytest.raises(InferenceError, match=r"Row 0 .*: UnicodeEncodeError") as raised:
            results(task, batches([[BAD]], 1))
        assert QUOTED not in str(raised.value)
        assert raised.value.__suppress_context__
    else:
        assert results(task, batches([[BAD]], 1)) == [[{"value": None, "error": "UnicodeEncodeError."}]]


def array_error():
    """What NumPy raises if there is no memory."""
    with pytest.raises(MemoryError) as raised:
        np.empty(1 << 50)
    return raised.value


def engine_error():
    error = InferenceError("ONNX Runtime failed on model 'tiny' (fp32): CUDA failure 700")
    error.__cause__ = RuntimeError("CUDA failure 700")
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        array_error(),
        pa.ArrowMemoryError("malloc failed"),
        OSError(28, "No space left"),
        engine_error(),
        BundleError("The model is damaged."),
        OutputError("Another process holds the lock."),
        ParamError("ONNX Runtime could not use CUDA."),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("fraction", [None, 1.0])
@pytest.mark.parametrize("size", [1, 5])
def test_an_error_of_the_machine_is_not_one_of_a_row(monkeypatch, error, fraction, size):
    """It would meet any row, so removing the row does not help, and nulls would hide it."""
    monkeypatch.setattr(FailingTask, "error", error)
    task = RowErrorsTask(FailingTask(model()), "vectors", fraction)
    with pytest.raises(type(error)) as raised:
        results(task, batches([["river"], ["bank"], [BAD], ["river"]], size))
    assert raised.value is error


@pytest.mark.parametrize("fraction", [None, 1.0])
def test_a_model_that_is_damaged_while_the_task_runs_is_not_an_error_of_its_rows(monkeypatch, tmp_path, fraction):
    """The rows that run again after one that fails are not computed with other weights."""
    bundle = Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model"))
    task = FailingTask(WorkerModel(ModelHandle.in_place(bundle), EmbedderOptions(), 1, VectorSizes()))

    def check(self, tokens):
        if len(tokens) > 1:
            with (tmp_path / "model" / "model.onnx.data").open("r+b") as file:
                file.write(b"damaged")
            raise self.error

    monkeypatch.setattr(FailingTask, "check", check)
    with pytest.raises(InferenceError, match=r"must not change while it is loaded, but model\.onnx\.data in") as raised:
        results(RowErrorsTask(task, "vectors", fraction), batches([["river"], ["bank"]], 2))
    assert isinstance(raised.value.__cause__, BundleError)


def test_the_model_is_loaded_once_however_many_rows_fail(caplog):
    caplog.set_level(logging.INFO, "sparkalbert")
    found = results(RowErrorsTask(FailingTask(model()), "vectors", 1.0), batches([["river"], [BAD]] * 5, 10))
    assert sum(pair["error"] is not None for (pair,) in found) == 5
    assert sum(message.startswith("Embedding with ") for message in caplog.messages) == 1


def test_a_wrong_number_of_counts_is_an_error(monkeypatch):
    def beside(self, values):
        return pa.StructArray.from_arrays([values, pa.array(self.tokens)], names=["value", "tokens"])

    monkeypatch.setattr(RowCounts, "beside", beside)
    with pytest.raises(InferenceError, match="ValueError"):
        results(RowErrorsTask(CountedTask(model()), "vectors", counted=True), batches([["river"]], 1))


def test_an_error_of_the_machine_after_one_of_a_row_ends_the_task_too(monkeypatch):
    rows, calls = [["river"], [BAD], ["bank"]], []

    def check(self, tokens):
        calls.append(len(tokens))
        if len(calls) == 3:  # the group, the first row, the second row
            raise MemoryError
        FailingTask.check_row(self, tokens)

    monkeypatch.setattr(FailingTask, "check_row", FailingTask.check, raising=False)
    monkeypatch.setattr(FailingTask, "check", check)
    with pytest.raises(MemoryError):
        results(RowErrorsTask(FailingTask(model()), "vectors", 1.0), batches(rows, 3))
    assert calls == [3, 1, 1]


def test_numbers_that_do_not_fit_are_an_error_of_the_row(monkeypatch):
    monkeypatch.setattr(FailingTask, "error", InferenceError("A vector has the number 1e+06, too large for binary16."))
    found = results(RowErrorsTask(FailingTask(model()), "vectors", 1.0), batches([[BAD]], 1))
    assert found == [[{"value": None, "error": str(FailingTask.error)}]]


@pytest.mark.parametrize(("bad", "ends"), [(50, False), (51, True)])
def test_too_many_rows_that_fail_end_the_job(bad, ends):
    rows = [[BAD]] * bad + [["river"]] * (MIN_ROWS - bad - 1) + [[BAD]]
    task = RowErrorsTask(FailingTask(model()), "vectors", 0.51)
    if ends:
        with pytest.raises(ColumnError, match=r"52 of the first 100 rows .* maxErrorFraction 0\.51 allows"):
            results(task, batches(rows, 10))
    else:
        assert sum(pair["error"] is not None for (pair,) in results(task, batches(rows, 10))) == bad + 1


def test_a_partition_of_few_rows_never_ends_the_job():
    rows = [[BAD]] * (MIN_ROWS - 1)
    assert len(results(RowErrorsTask(FailingTask(model()), "vectors", 0.0), batches(rows, 10))) == len(rows)


def test_an_error_of_the_input_is_not_one_of_a_row():
    def broken():
        yield from batches([["river"]], 1)
        raise ColumnError(QUOTED)

    with pytest.raises(ColumnError, match=f"^{QUOTED}$"):
        list(RowErrorsTask(TokenListTask(model()), "vectors", 1.0)(broken()))


def test_an_error_of_the_model_is_not_one_of_a_row(tmp_path):
    gone = WorkerModel(ModelHandle("gone", "0" * 64, str(tmp_path / "gone")), EmbedderOptions())
    with pytest.raises(ValueError, match=r"^Model 'gone' is not on this worker"):
        results(RowErrorsTask(TokenListTask(gone), "vectors", 1.0), batches([["river"]], 1))


def test_rows_without_failures_leave_in_the_same_arrays():
    rows = batches([["river"] * 20] * 100, 50)
    plain = list(TokenListTask(model())(iter(rows)))
    guarded = list(RowErrorsTask(TokenListTask(model()), "vectors")(iter(rows)))
    assert [len(array) for array in guarded] == [len(array) for array in plain]
    assert all(array.equals(same) for array, same in zip(guarded, plain, strict=True))
