import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.distill.evaluation import (
    EmbeddedWords,
    evaluate,
    read_news,
    read_word_pairs,
    recall_at_10,
    sense_accuracy,
    spearman,
)


def test_spearman_shares_ranks_between_ties():
    # Ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: correlation 4.5 / sqrt(4.5 * 5).
    assert spearman([1, 5, 5, 9], [1, 3, 2, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@given(values=st.lists(st.integers(-50, 50), min_size=2, max_size=30, unique=True))
def test_spearman_sees_only_the_order(values):
    assert spearman(values, np.exp(np.array(values) / 10)) == pytest.approx(1)
    assert spearman(values, [-value for value in values]) == pytest.approx(-1)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_recall_counts_nearest_neighbours_among_ten():
    random = np.random.default_rng(0)
    told = unit(random.normal(size=(200, 16)).astype(np.float32))
    assert recall_at_10(told, told) == 1
    unrelated = unit(random.normal(size=(200, 16)).astype(np.float32))
    assert recall_at_10(unrelated, told) < 0.15


def senses():
    return json.loads(files("sparkalbert.distill").joinpath("senses.json").read_text(encoding="utf-8"))


def test_the_sense_sentences_are_what_the_model_card_says():
    words = senses()
    assert len(words) == 12
    assert all(len(groups) == 2 for groups in words.values())
    assert all(len(group) == 5 for groups in words.values() for group in groups)


def embedder_of(vector):
    def embed(texts):
        split = [text.replace(".", " .").split() for text in texts]
        return [
            EmbeddedWords(words, np.stack([vector(text, word) for word in words]).astype(np.float32))
            for text, words in zip(texts, split, strict=True)
        ]

    return embed


def test_an_embedder_that_knows_senses_is_always_right_and_one_blind_to_context_never():
    side = {
        text: index for groups in senses().values() for index, group in enumerate(groups) for text in group
    }
    knowing = embedder_of(lambda text, _: np.eye(2)[side[text]])
    assert sense_accuracy(knowing) == 1
    blind = embedder_of(lambda *_: np.ones(2))
    assert sense_accuracy(blind) == 0


def test_all_figures_of_an_embedder_that_is_its_own_teacher():
    random = np.random.default_rng(1)
    table = {}

    def vector(text, word):
        return table.setdefault(word.lower(), random.normal(size=8))

    embed = embedder_of(vector)
    texts = [f"w{first} w{second} w{third}" for first, second, third in random.integers(0, 99, (50, 3))]
    told = unit(np.stack([words.vectors.mean(axis=0) for words in embed(texts)]))
    words = [f"w{index}" for index in range(20)]
    vectors = unit(np.stack([vector("", word) for word in words]))
    pairs = [(words[i], words[j], float(vectors[i] @ vectors[j])) for i in range(20) for j in range(i)]
    figures = evaluate(embed, texts, told, [pairs, [(a, b, -score) for a, b, score in pairs]])
    assert figures.pairs_spearman == pytest.approx(1)
    assert figures.recall_at_10 == 1
    assert figures.wordsim_spearman == pytest.approx(1, abs=1e-3)
    assert figures.simlex_spearman == pytest.approx(-1, abs=1e-3)


def test_word_pairs_are_read_without_their_heading(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("# Word 1\tWord 2\tHuman\ntiger\tcat\t7.35\nold\tnew\t1.58\n\n")
    assert read_word_pairs(path) == [("tiger", "cat", 7.35), ("old", "new", 1.58)]


def test_news_is_read_by_sentences_of_four_words_or_more(tmp_path):
    (tmp_path / "lee_background.cor").write_text(
        "The storm hit the coast today. Three are dead. The end of it.\n"
    )
    (tmp_path / "lee.cor").write_bytes(b"The storm hit the coast today. They paid \xa3 5 each.\n")
    assert read_news(tmp_path) == ["The storm hit the coast today.", "The end of it.", "They paid £ 5 each."]
