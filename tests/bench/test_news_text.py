"""Made-up news: as long as news sentences are, never the same sentence twice, the same text each time."""

import numpy as np

from sparkalbert.bench.news_text import news_paragraphs
from sparkalbert.text import SentenceSplitter, WordTokenizer

TEXT = news_paragraphs(20_000)


def sentences():
    splitter = SentenceSplitter()
    return [text[slice(*sentence)] for text in TEXT for sentence in splitter.split(text)]


def test_sentences_are_as_long_as_in_newspapers():
    """24 tokens on average in the Wall Street Journal (Penn Treebank), most between 10 and 40."""
    tokenizer = WordTokenizer()
    lengths = np.array([len(tokenizer.tokenize(sentence)) for sentence in sentences()])
    assert 21 < lengths.mean() < 26
    assert 9 < lengths.std() < 14
    low, middle, high = np.percentile(lengths, [5, 50, 95])
    assert 7 <= low <= 11
    assert 18 <= middle <= 24
    assert 40 <= high <= 52
    assert lengths.max() < 100, "nothing is beyond what Spark NLP would cut off"


def test_there_is_as_much_as_asked_for():
    tokenizer = WordTokenizer()
    words = sum(len(tokenizer.tokenize(text)) for text in TEXT)
    assert 18_000 < words < 22_000


def test_no_sentence_occurs_twice():
    found = sentences()
    assert len(found) > 500
    assert len(set(found)) == len(found)


def test_the_seed_decides():
    assert news_paragraphs(300, seed=5) == news_paragraphs(300, seed=5)
    assert news_paragraphs(300, seed=5) != news_paragraphs(300, seed=6)
