"""The command explore: from Parquet files to a page."""

import json
import os
import re

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sparkalbert.cli import run
from sparkalbert.vectors import number_type


def content(page):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    return json.loads(found)


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "vectors"
    folder.mkdir()
    for part in range(3):
        rows = {"tokens": [["a", "bank"], None], "vectors": [[[1.0, part], [part, 2.0]], None]}
        parquet.write_table(pa.table(rows), folder / f"part-{part}.parquet")
    (folder / "_SUCCESS").touch()
    return folder


def test_a_folder_becomes_one_page_beside_it(output, capsys):
    assert run(["explore", str(output)]) == 0
    page = output.with_name("vectors.html")
    assert capsys.readouterr().out.startswith(f"Page: {page} (6 of 6 words, ")
    found = content(page)
    assert found["title"] == "vectors"
    assert found["tokens"] == ["a", "bank"] * 3
    assert [found["sentences"][number] for number in found["sentence"]] == ["a bank"] * 6
    assert found["start"] == [0, 2] * 3
    assert min(found["x"]) == min(found["y"]) == 0
    assert max(found["width"], found["height"]) == 20_000


def test_reading_shows_how_many_rows_are_read(output, capsys, terminal):
    terminal()
    assert run(["explore", str(output)]) == 0
    shown = capsys.readouterr().err
    assert re.search(r"Reading .*6 of 6 rows, [0-9,.]+/(s|min) .*elapsed, .* left", shown)
    assert "Projecting 6 words" in shown
    assert run(["--quiet", "explore", str(output), "--overwrite"]) == 0
    assert capsys.readouterr().err.strip("\n") == ""


def test_many_words_are_sampled(output, tmp_path):
    page = tmp_path / "few.html"
    assert run(["explore", str(output), "--page", str(page), "--max-points", "4"]) == 0
    found = content(page)
    assert len(found["tokens"]) == 4
    assert found["counted"].startswith("4 of 6 words, drawn at random")


@pytest.mark.parametrize(("source", "name"), [(".", "vectors"), ("below/..", "vectors"), ("..", "run")])
def test_a_folder_without_a_name_of_its_own_gets_its_page_beside_it(output, tmp_path, monkeypatch, source, name):
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    output.rename(run_folder / "vectors")
    (run_folder / "vectors" / "below").mkdir()
    monkeypatch.chdir(run_folder / "vectors")
    assert run(["explore", source]) == 0
    (page,) = tmp_path.rglob("*.html")
    assert page.name == f"{name}.html"
    assert page.with_suffix("").is_dir()
    assert content(page)["title"] == name


def test_a_page_may_go_into_a_pipe(output):
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        assert run(["explore", str(output), "--page", f"/dev/fd/{write}"]) == 0
        assert os.read(read, 100).startswith(b"<!DOCTYPE html>")
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("vectors", ["binary", "binary16"])
def test_bytes_are_read_in_their_format(tmp_path, vectors, capsys):
    cells = [np.array(vector, dtype=number_type(vectors)).tobytes() for vector in ([1, 0], [0, 2], [-1, 0])]
    source = tmp_path / "vectors"
    source.mkdir()
    parquet.write_table(pa.table({"tokens": [["a", "bank", "by"]], "vectors": [cells]}), source / "part.parquet")
    assert run(["explore", str(source)]) == 1
    assert "bytes, which do not show their format" in capsys.readouterr().err
    assert run(["explore", str(source), "--vectors", vectors]) == 0
    page = source.with_name("vectors.html")
    found = content(page)
    (source / "_summary.json").write_text(json.dumps({"vectors": vectors}))
    assert run(["explore", str(source), "--overwrite"]) == 0
    assert content(page) == found
    other = "binary16" if vectors == "binary" else "binary"
    capsys.readouterr()
    for path in (source, source / "part.parquet"):
        assert run(["explore", str(path), "--overwrite", "--vectors", other]) == 1
        message = f"--vectors is {other}, but {source / '_summary.json'} reports {vectors}. Leave --vectors out."
        assert message in capsys.readouterr().err
    assert content(page) == found
    assert abs(found["x"][0] - found["x"][2]) == 20_000, "opposite directions"
    assert found["axes"] == ["first principal component, 75% of the variance",
                             "second principal component, 25% of the variance"]  # fmt: skip


def test_an_existing_page_is_kept_without_overwrite(output, capsys):
    page = output.with_name("vectors.html")
    page.write_text("mine")
    assert run(["explore", str(output)]) == 1
    assert "already exists. Pass --overwrite" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert run(["explore", str(output), "--overwrite"]) == 0
    assert page.read_text() != "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere cannot be read as Parquet"),
        (["text.txt"], "text.txt cannot be read as Parquet"),
        (["latin"], "latin cannot be read as Parquet: it contains text that is not valid UTF-8. Expected"),
        (["vectors", "--vector-col", "vector"], "vector_col is 'vector', expected"),
        (["vectors", "--page", "no/page.html"], "--page no/page.html cannot be written"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_message(output, monkeypatch, capsys, words, message):
    monkeypatch.chdir(output.parent)
    (output.parent / "text.txt").write_text("no Parquet")
    latin = pa.array([b"caf\xe9"]).view(pa.string())
    parquet.write_table(pa.table({"text": latin}), output.parent / "latin")
    assert run(["explore", *words]) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert not list(output.parent.glob("*.html"))


def test_an_interrupt_says_what_is_at_the_page(output, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparkalbert.plots.page.page_of", interrupted)
    page = output.with_name("vectors.html")
    assert run(["explore", str(output)]) == 130
    assert capsys.readouterr().err.endswith(f"{page} was not written.\nInterrupted.\n")
    assert not page.exists()
