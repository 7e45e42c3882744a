"""The summary of a batch job: what is counted while the rows are written, and where it is kept."""

import json
from dataclasses import asdict

import pytest

from sparkalbert import WordEmbedder
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.ml.job import embed_job
from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.ml.job.text_source import TextSource
from tests import tiny_bundle
from tests.ml.job.rows import ROWS, rows_of


def test_the_summary_is_counted_and_written_beside_the_vectors(any_spark, stage, texts, tmp_path):
    output = tmp_path / "vectors"
    summary = embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(output)))
    counts = {"rows": len(ROWS), "nulls": 1, "failures": None, "replaced_texts": 0, "replacement_characters": 0}
    counts |= {"tokens": 23, "windows": 4, "pieceless_tokens": 0}
    assert asdict(summary) == {**counts, "duration_s": summary.duration_s}
    written = json.loads((output / "_summary.json").read_text(encoding="utf-8"))
    assert written == {**asdict(summary), "vectors": "float"}
    assert any_spark.read.parquet(str(output)).count() == len(ROWS)


@pytest.mark.parametrize("target", [{}, {"annotations": True}, {"vectors": "binary"}, {"level": "sentence"},
                                    {"level": "document", "vectors": "binary16"}])  # fmt: skip
def test_what_the_texts_consist_of_is_counted(any_spark, stage, tmp_path, target):
    long, bad = "the river " * 150, b"caf\xe9 na\xefve, \xe2\x82 \xef\xbf\xbd."
    lines = [long.encode(), "the \u200b river. the river.".encode(), b"", bad]
    (tmp_path / "in.txt").write_bytes(b"\n".join(lines) + b"\n")
    source = TextSource(str(tmp_path / "in.txt"))
    summary = embed_texts(any_spark, stage, source, VectorTarget(str(tmp_path / "out"), **target))
    texts = [line.decode("utf-8", "replace") for line in lines]
    embedder = WordEmbedder.load(tiny_bundle.bundle().path)
    assert (summary.rows, summary.nulls) == (4, 0)
    assert summary.tokens == sum(len(text.tokens) for text in embedder.embed(texts)) == 300 + 7 + 0 + 6
    windows = [len(encode_texts(tiny_bundle.bundle(), [text]).sequences) for text in texts]
    assert summary.windows == sum(windows)
    assert (windows[0] > 3, windows[1:]) == (True, [2, 0, 1])
    assert summary.pieceless_tokens == 3, "U+200B and two lone U+FFFD"
    assert (summary.replaced_texts, summary.replacement_characters) == (1, 4), "one of which was in the file"


@pytest.mark.parametrize("name", ["texts.csv", "texts.txt"])
def test_texts_in_another_encoding_are_counted(any_spark, stage, tmp_path, name):
    path = tmp_path / name
    path.write_bytes("text\ncafé\ntea\nnaïve\n".encode("windows-1252"))
    found = []
    for number, encoding in enumerate([None, "windows-1252"]):
        target = VectorTarget(str(tmp_path / f"out-{number}"))
        summary = embed_texts(any_spark, stage, TextSource(str(path), encoding=encoding), target)
        found.append((summary.replaced_texts, summary.replacement_characters))
    assert found == [(2, 2), (0, 0)]


def test_a_summary_that_cannot_be_written_is_a_warning(any_spark, stage, texts, tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(embed_job.tempfile, "TemporaryDirectory", refuse)
    summary = embed_texts(any_spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "out")))
    assert summary.rows == len(rows_of(tmp_path / "out")) == len(ROWS)
    assert f"{tmp_path / 'out'} has no _summary.json, which cannot be written" in caplog.text


def test_counts_are_never_columns_of_a_pipeline(spark, stage, texts, tmp_path):
    embed_texts(spark, stage, TextSource(str(texts)), VectorTarget(str(tmp_path / "out")))
    names = ["text", "document", "sentence", "token", "embeddings"]
    frame = spark.createDataFrame([("A river.",)], "text string")
    assert text_pipeline(stage).fit(frame).transform(frame).columns == names
    stage.setOnError("null")
    assert text_pipeline(stage).fit(frame).transform(frame).columns == [*names, "embeddings_error"]
