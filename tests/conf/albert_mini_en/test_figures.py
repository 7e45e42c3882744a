import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.albert_mini_en.figures import (
    SENSES,
    EmbeddedWords,
    evaluate,
    recall_at_10,
    sense_accuracy,
    spearman,
)
from sparkalbert.vectors import unit_vectors


def test_equal_values_share_their_mean_rank():
    # Ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: correlation 4.5 / sqrt(4.5 * 5).
    assert spearman([1, 5, 5, 9], [1, 3, 2, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@given(values=st.lists(st.integers(-50, 50), min_size=2, max_size=30, unique=True))
def test_spearman_depends_on_the_order_only(values):
    assert spearman(values, np.exp(np.array(values) / 10)) == pytest.approx(1)
    assert spearman(values, [-value for value in values]) == pytest.approx(-1)


def test_recall_counts_nearest_neighbours_among_ten():
    random = np.random.default_rng(0)
    target = unit_vectors(random.normal(size=(200, 16)).astype(np.float32))
    assert recall_at_10(target, target) == 1
    unrelated = unit_vectors(random.normal(size=(200, 16)).astype(np.float32))
    assert recall_at_10(unrelated, target) < 0.15


def senses(name):
    return json.loads(SENSES[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "words", "sentences"), [("project", 12, 5), ("development", 16, 4), ("test", 16, 4)])
def test_the_sense_sentences_are_as_the_model_card_describes_them(name, words, sentences):
    assert len(senses(name)) == words
    for word, groups in senses(name).items():
        assert [len(group) for group in groups] == [sentences, sentences]
        for text in (text for group in groups for text in group):
            assert word in re.findall(r"\w+", text.lower())


def test_no_word_is_in_two_lists():
    words = [word for name in SENSES for word in senses(name)]
    assert len(words) == len(set(words))


def embedder_of(vector):
    def embed(texts):
        split = [re.findall(r"\w+", text) for text in texts]
        return [
            EmbeddedWords(words, np.stack([vector(text, word) for word in words]).astype(np.float32))
            for text, words in zip(texts, split, strict=True)
        ]

    return embed


def test_sense_accuracy_is_1_for_a_model_of_senses_and_0_without_context():
    side = {
        text: index for groups in senses("project").values() for index, group in enumerate(groups) for text in group
    }
    of_senses = embedder_of(lambda text, _: np.eye(2)[side[text]])
    assert sense_accuracy(of_senses, SENSES["project"]) == 1
    of_nothing = embedder_of(lambda *_: np.ones(2))
    assert sense_accuracy(of_nothing, SENSES["project"]) == 0


def test_a_model_that_is_its_own_teacher_has_the_best_figures():
    random = np.random.default_rng(1)
    table = {}

    def vector(text, word):
        return table.setdefault(word.lower(), random.normal(size=8))

    embed = embedder_of(vector)
    texts = [f"w{first} w{second} w{third}" for first, second, third in random.integers(0, 99, (50, 3))]
    target = unit_vectors(np.stack([words.vectors.mean(axis=0) for words in embed(texts)]))
    words = [f"w{index}" for index in range(20)]
    vectors = unit_vectors(np.stack([vector("", word) for word in words]))
    pairs = [(words[i], words[j], float(vectors[i] @ vectors[j])) for i in range(20) for j in range(i)]
    figures = evaluate(embed, texts, target, [pairs, [(a, b, -score) for a, b, score in pairs]])
    assert figures.pairs_spearman == pytest.approx(1)
    assert figures.recall_at_10 == 1
    assert figures.wordsim_spearman == pytest.approx(1, abs=1e-3)
    assert figures.simlex_spearman == pytest.approx(-1, abs=1e-3)
