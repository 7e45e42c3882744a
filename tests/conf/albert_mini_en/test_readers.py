import gzip

import pytest

from conf.albert_mini_en import readers
from sparkalbert.distill.corpora import seeded

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


def test_a_synset_has_words_examples_and_a_definition(wordnet):
    (bank, examples, entry), (city, none, _) = readers.wordnet_entries(wordnet)
    assert bank == ["bank"]
    assert examples == ["they pulled the canoe up on the bank", "he sat on the bank of the river"]
    assert city == ["city", "New York"]
    assert none == []
    forms = {entry(seeded(seed), bank) for seed in range(50)}
    definition = "sloping land (especially the slope beside a body of water)"
    assert forms == {
        definition,
        f"bank: {definition}",
        f"bank: {definition}. they pulled the canoe up on the bank",
        f"bank: {definition}. he sat on the bank of the river",
    }


def test_wordnet_texts_are_the_same_for_the_same_seed(wordnet):
    texts = list(readers.wordnet_texts(wordnet, 3))
    assert texts == list(readers.wordnet_texts(wordnet, 3))
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
    assert list(readers.webster_passages(path)) == [
        "To renounce upon oath; as, to abjure allegiance.",
        "To reject with solemnity.",
    ]


def test_paragraphs_of_a_dictionary_are_single_lines(tmp_path):
    path = tmp_path / "jargon.dict.dz"
    path.write_bytes(gzip.compress(b"grep\n\n   /grep/ [from the editor]\n   To {scan} a file.\n"))
    assert list(readers.dictionary_passages(path)) == ["grep", "/grep/ To scan a file."]


def test_every_string_of_a_json_file_is_read(tmp_path):
    path = tmp_path / "page.json"
    path.write_text('{"a": {"text": "<p>One &amp; two.</p><p>Three.</p>"}, "b": ["Four.\\n\\nFive.", 6, null]}')
    passages = [passage for passage in readers.json_passages(path) if passage]
    assert passages == ["One & two.", "Three.", "Four.", "Five."]


def test_paragraphs_of_a_page_are_read_and_code_is_not(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<h1>No</h1><p>A <em>short</em>\n paragraph.</p><pre>code()</pre><p>Another &lt;one&gt;.</p>")
    assert list(readers.html_passages(path)) == ["A short paragraph.", "Another <one>."]
