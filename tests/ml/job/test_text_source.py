"""Texts read from every format, with any separator and encoding, and what cannot be read refused by name."""

import gzip
import json

import pyspark
import pytest

from sparkalbert.cli.failures import failure_message
from sparkalbert.errors import ColumnError, InputError, ParamError
from sparkalbert.ml.failures import raise_job_errors
from sparkalbert.ml.job.text_source import TextSource, input_format

SPARK_3 = pyspark.__version__.startswith("3.")  # its errors do not name the file

TEXT = 'Café, "£5" — naïve; then\ta tab\nand a line'


def rows(spark, source):
    with raise_job_errors(), source.settings(spark):
        return [row.asDict() for row in source.read(spark).collect()]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


@pytest.mark.parametrize(
    ("name", "sep", "encoding"),
    [
        ("in.csv", None, None),
        ("in.csv", ";", "ISO-8859-1"),
        ("in.csv", "||", "windows-1252"),
        ("in.csv", "\t", "UTF-16"),
        ("in.tsv", None, "UTF-16LE"),
        ("in.tsv", None, "cp1252"),
        ("in.tsv", "|", "GBK"),
    ],
)
def test_tables_with_any_separator_and_encoding(any_spark, tmp_path, name, sep, encoding):
    text = TEXT.replace("—", "-").replace("ï", "i").replace("£", "") if encoding in {"ISO-8859-1", "GBK"} else TEXT
    text = text.replace("é", "e") if encoding == "GBK" else text
    used = sep or {"in.csv": ",", "in.tsv": "\t"}[name]
    content = f"key{used}text\n1{used}{quoted(text)}\n2{used}\n3{used}{quoted('')}\n"
    (tmp_path / name).write_bytes(content.encode(encoding or "utf-8"))
    source = TextSource(str(tmp_path / name), sep=sep, encoding=encoding)
    found = rows(any_spark, source)
    assert [(row["key"], row["text"]) for row in found] == [("1", text), ("2", None), ("3", "")]


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "windows-1252"])
def test_json_lines_in_another_encoding(any_spark, tmp_path, encoding):
    content = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in ("Café", "£5", "\u2019s"))
    (tmp_path / "in.jsonl").write_bytes(content.encode(encoding))
    found = rows(any_spark, TextSource(str(tmp_path / "in.jsonl"), encoding=encoding))
    assert [row["text"] for row in found] == ["Café", "£5", "\u2019s"]


@pytest.mark.parametrize("encoding", ["windows-1252", "ISO-8859-1", "UTF-8"])
def test_lines_in_another_encoding(any_spark, tmp_path, encoding):
    (tmp_path / "in.txt").write_bytes("Café\n\nprices £5\n".encode(encoding))
    found = rows(any_spark, TextSource(str(tmp_path / "in.txt"), text_col="line", encoding=encoding))
    assert found == [{"line": "Café"}, {"line": ""}, {"line": "prices £5"}]


@pytest.mark.parametrize("name", ["in.txt", "in.csv", "in.json"])
def test_bytes_that_the_encoding_does_not_have_are_replaced(any_spark, tmp_path, name):
    """0x81 is not a character of windows-1252; it becomes U+FFFD, like invalid UTF-8."""
    content = {"in.txt": b"a\x81b\n", "in.csv": b"text\na\x81b\n", "in.json": b'{"text": "a\x81b"}\n'}[name]
    (tmp_path / name).write_bytes(content)
    source = TextSource(str(tmp_path / name), encoding="windows-1252")
    if name == "in.json" and SPARK_3:  # its reader of JSON ends at such a byte, whatever is set
        with pytest.raises(InputError, match="cannot be read as json"):
            rows(any_spark, source)
    else:
        assert rows(any_spark, source) == [{"text": "a\ufffdb"}]


def test_compressed_files_and_folders_are_read(any_spark, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.txt.gz").write_bytes(gzip.compress(f"line {number}\n".encode()))
    for source in (TextSource(f"{tmp_path}/*.txt.gz"), TextSource(str(tmp_path), "text")):
        assert sorted(row["text"] for row in rows(any_spark, source)) == ["line 0", "line 1", "line 2"]


def test_relative_paths_and_patterns_are_those_of_the_client(connect_spark, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("here\n")
    monkeypatch.chdir(tmp_path)
    for path in ("in.txt", "./in.txt", "*.txt", f"file:{tmp_path}/in.txt"):
        assert rows(connect_spark, TextSource(path)) == [{"text": "here"}]


NESTED = [{"id": 1, "doc": {"Text": "One.", "meta": {"lang": "en"}}}, {"id": 2, "doc": None}]


def test_fields_of_structs_are_texts_and_keys(any_spark, tmp_path):
    (tmp_path / "in.json").write_text("".join(json.dumps(row) + "\n" for row in NESTED))
    source = TextSource(str(tmp_path / "in.json"), text_col="doc.text", id_cols=["ID", "doc.meta.lang"])
    assert rows(any_spark, source) == [
        {"id": 1, "doc.meta.lang": "en", "doc.Text": "One."},
        {"id": 2, "doc.meta.lang": None, "doc.Text": None},
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.txt", "text"),
        ("x.CSV", "csv"),
        ("x.jsonl.gz", "json"),
        ("data.parquet/", "parquet"),
        ("*.ndjson.zst", "json"),
        ("C:\\data\\x.csv\\", "csv"),
    ],
)
def test_the_format_follows_from_the_name(path, expected):
    assert input_format(path) == expected


@pytest.mark.parametrize("path", ["reviews", "reviews.xlsx", "archive.gz"])
def test_an_unknown_name_requires_the_format(path):
    with pytest.raises(
        InputError, match=r"not known from its name\. Pass format \(--format\): text, csv, tsv, json, parquet"
    ):
        TextSource(path)
    assert TextSource(path, "text").format == "text"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "x.txt", "sep": ";"}, r"sep is for csv and tsv, but x\.txt is read as text\. Leave it out"),
        ({"path": "x.json", "sep": ";"}, "sep is for csv and tsv"),
        ({"path": "x.parquet", "encoding": "UTF-8"}, "encoding is for text files, but x.parquet is read as parquet"),
        (
            {"path": "x.txt", "encoding": "utf-16"},
            r"Lines cannot be read in utf-16\. Convert x\.txt to UTF-8, or use csv",
        ),
        ({"path": "x.txt", "encoding": "UTF_32LE"}, "Lines cannot be read in UTF_32LE"),
        ({"path": "x.txt", "format": "xml"}, "format is 'xml', expected one of text, csv, tsv, json, parquet"),
        ({"path": "x.txt", "partitions": 0}, "partitions is 0, expected at least 1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ParamError, match=message):
        TextSource(**options)


@pytest.mark.parametrize(("name", "encoding"), [("in.csv", "no-such"), ("in.txt", "no-such"), ("in.json", "no-such")])
def test_an_unknown_encoding_is_named(any_spark, tmp_path, name, encoding):
    (tmp_path / name).write_text('{"text": "a"}\n')
    with pytest.raises(InputError, match="no-such"):
        rows(any_spark, TextSource(str(tmp_path / name), encoding=encoding, text_col="text"))


DIARY = "my own diary"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", f"id,text\n1,fine\n2,{DIARY},too many\n"),
        ("in.json", f'{{"id": 1, "text": "fine"}}\n{{"id": 2, "text": "{DIARY}" oops}}\n'),
        ("in.json", f'{{"id": 1, "text": "fine"}}\n{DIARY}\n'),
    ],
)
def test_a_malformed_record_is_never_shown(any_spark, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match="does not have the format and columns that it was read with") as raised:
        rows(any_spark, TextSource(str(tmp_path / name)))
    assert SPARK_3 or name in str(raised.value)
    assert DIARY not in failure_message(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.parquet", b"not parquet at all", "in.parquet cannot be read as parquet: "),
        ("in.txt.gz", b"not gzip at all", r"in\.txt\.gz cannot be read: "),
        ("empty.parquet/x", None, r"empty\.parquet cannot be read as parquet: .*[Ss]chema"),
    ],
)
def test_damaged_files_are_input_errors(any_spark, tmp_path, name, content, message):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    source = TextSource(str(path if content is not None else path.parent))
    with pytest.raises(InputError, match=message) as raised:
        rows(any_spark, source)
    assert "\n" not in str(raised.value)


def test_a_file_that_vanishes_is_an_input_error(any_spark, tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("here\n")
    frame = TextSource(str(path)).read(any_spark)
    path.unlink()
    with pytest.raises(InputError, match=r"in\.txt was removed while the job was reading it"), raise_job_errors():
        frame.collect()


def test_missing_and_wrong_columns_are_named(any_spark, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps({"Body": "a", "n": 1, "doc": {"text": "b"}}) + "\n")
    path = str(tmp_path / "in.json")
    for options, message in [
        ({"text_col": "bodi"}, r"does not have any 'bodi' column\. Did you mean 'Body'\?"),
        ({"text_col": "n"}, r"column 'n' is bigint, expected string\. .* The column of texts is text_col"),
        ({"text_col": "doc"}, r"column 'doc' is struct<text:string>, expected string"),
        ({"text_col": "body", "id_cols": ["key"]}, "does not have any 'key' column"),
    ]:
        with pytest.raises(ColumnError, match=message):
            TextSource(path, **options).read(any_spark)


def test_settings_end_with_the_block(any_spark):
    name, other = "spark.sql.files.maxPartitionBytes", "spark.sql.legacy.javaCharsets"
    before = any_spark.conf.get(name), any_spark.conf.get(other, None)
    with TextSource("x.txt").settings(any_spark):
        assert (any_spark.conf.get(name), any_spark.conf.get(other, None)) == (str(1 << 20), before[1])
    with TextSource("x.csv", encoding="cp1252").settings(any_spark):
        assert any_spark.conf.get(other) == "true"
    with pytest.raises(KeyError), TextSource("x.csv", encoding="cp1252").settings(any_spark):
        {}["stop"]
    assert (any_spark.conf.get(name), any_spark.conf.get(other, None)) == before


def test_rows_are_distributed_over_partitions(any_spark, tmp_path):
    (tmp_path / "in.txt").write_text("line\n" * 8)
    frame = TextSource(str(tmp_path / "in.txt"), partitions=4).read(any_spark)
    assert frame.selectExpr("spark_partition_id() AS n").distinct().count() == 4
