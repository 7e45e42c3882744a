import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.distill import corpora

BANK = (
    "09213565 17 n 01 bank 1 007 @ 09287968 n 0000 | sloping land (especially the slope beside a body of"
    ' water); "they pulled the canoe up on the bank"; "he sat on the bank of the river"'
)
CITY = "08524735 15 n 02 city 0 New_York(p) 0 000 | a large settlement"


@pytest.fixture
def wordnet(tmp_path):
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        (tmp_path / name).write_text("  1 a licence line\n")
    (tmp_path / "data.noun").write_text(f"  1 a licence line\n{BANK}\n{CITY}\n")
    return tmp_path


def test_a_synset_gives_words_examples_and_a_definition(wordnet):
    (bank, examples, entry), (city, none, _) = corpora.wordnet_entries(wordnet)
    assert bank == ["bank"]
    assert examples == ["they pulled the canoe up on the bank", "he sat on the bank of the river"]
    assert city == ["city", "New York"]
    assert none == []
    forms = {entry(corpora.seeded(seed), bank) for seed in range(50)}
    definition = "sloping land (especially the slope beside a body of water)"
    assert forms == {
        definition,
        f"bank: {definition}",
        f"bank: {definition}. they pulled the canoe up on the bank",
        f"bank: {definition}. he sat on the bank of the river",
    }


def test_wordnet_texts_are_the_same_for_the_same_seed(wordnet):
    texts = list(corpora.wordnet_texts(wordnet, 3))
    assert texts == list(corpora.wordnet_texts(wordnet, 3))
    assert texts[-3:] == ["New York", "bank", "city"]
    assert "they pulled the canoe up on the bank" in texts


GCIDE = r"""
Abjure \Ab*jure"\, v. t. [L. abjurare.] (Law)
   1. To renounce upon oath; as, to {abjure} allegiance. --Shak.
      [1913 Webster]

   2. To reject with solemnity. [Obs.] --Bailey.
      [1913 Webster]

   3. A meaning that somebody added later.
      [PJC]

   4. A meaning of 1913 that was changed.
      [1913 Webster +PJC]

   5. A meaning of 1913 with an addition.
      [1913 Webster]
      The addition.
      [PJC]
"""


def test_only_paragraphs_of_1913_are_read(tmp_path):
    path = tmp_path / "gcide.dict.dz"
    path.write_bytes(gzip.compress(GCIDE.strip().encode()))
    assert list(corpora.webster_passages(path)) == [
        "To renounce upon oath; as, to abjure allegiance.",
        "To reject with solemnity.",
    ]


def test_a_dictionary_gives_its_paragraphs_as_lines(tmp_path):
    path = tmp_path / "jargon.dict.dz"
    path.write_bytes(gzip.compress(b"grep\n\n   /grep/ [from the editor]\n   To {scan} a file.\n"))
    assert list(corpora.dictionary_passages(path)) == ["grep", "/grep/ To scan a file."]


def test_every_string_of_a_json_file_is_read(tmp_path):
    path = tmp_path / "page.json"
    path.write_text(
        '{"a": {"text": "<p>One &amp; two.</p><p>Three.</p>"}, "b": ["Four.\\n\\nFive.", 6, null]}'
    )
    assert [text for text in corpora.json_passages(path) if text] == [
        "One & two.",
        "Three.",
        "Four.",
        "Five.",
    ]


def test_paragraphs_of_a_page_are_read_and_code_is_not(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(
        "<h1>No</h1><p>A <em>short</em>\n paragraph.</p><pre>code()</pre><p>Another &lt;one&gt;.</p>"
    )
    assert list(corpora.html_passages(path)) == ["A short paragraph.", "Another <one>."]


def test_lines_without_text_are_left_out(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("  One.\n\n \t\nTwo.  ", encoding="utf-8")
    assert list(corpora.line_passages(path)) == ["One.", "Two."]


PASSAGE = "The first sentence stands here. A second one follows it. The third is the last of all."


def test_without_windows_every_sentence_is_a_text():
    assert list(corpora.training_texts([PASSAGE], 0, window_share=0.0)) == [
        "The first sentence stands here.",
        "A second one follows it.",
        "The third is the last of all.",
    ]


@given(seed=st.integers(0, 1000))
def test_windows_are_cut_from_the_passage_and_lose_nothing(seed):
    texts = list(corpora.training_texts([PASSAGE], seed, window_share=0.5))
    assert " ".join(texts) == PASSAGE


@pytest.mark.parametrize("passage", ["Too short.", "1.5 2.5 3.5 4.5 5.5 6.5 is a table", "word " * 130])
def test_what_is_no_prose_is_left_out(passage):
    assert list(corpora.training_texts([passage], 0)) == []
