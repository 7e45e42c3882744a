from itertools import pairwise

import pytest

from conf.albert_mini_en.report import embed_with_teacher, measure, read_news, read_word_pairs, table
from conf.albert_mini_en.sources import EVALUATION, TEACHER
from sparkalbert.errors import InputError

WORDS = ["river", "bank", "doctor", "market", "church", "train", "garden", "house", "letter", "radio", "box", "ship"]


def test_word_pairs_are_read_without_their_heading(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("# Word 1\tWord 2\tHuman\ntiger\tcat\t7.35\nold\tnew\t1.58\n\n")
    assert read_word_pairs(path) == [("tiger", "cat", 7.35), ("old", "new", 1.58)]


def test_news_is_read_as_sentences_of_four_words_or_more(tmp_path):
    (tmp_path / "lee_background.cor").write_text("The storm hit the coast today. Three are dead. The end of it.\n")
    (tmp_path / "lee.cor").write_bytes(b"The storm hit the coast today. They paid \xa3 5 each.\n")
    assert read_news(tmp_path) == ["The storm hit the coast today.", "The end of it.", "They paid £ 5 each."]


def test_missing_evaluation_data_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no evaluation data \(gensim 4\.4\.0\)\. Fetch the sources first"):
        measure({}, tmp_path)


@pytest.mark.reference
def test_the_teacher_agrees_with_itself(tmp_path):
    """A whole evaluation, with a tiny teacher in the place of the real one."""
    pytest.importorskip("torch")
    from sparkalbert.distill.teacher import Teacher, device_of
    from tests.distill import tiny_teacher

    folder = tiny_teacher.write(TEACHER.folder(tmp_path))
    data = EVALUATION.folder(tmp_path)
    data.mkdir(parents=True)
    texts = [f"The {word} of the town is a place for {word}s" for word in WORDS]
    (data / "lee_background.cor").write_text("\n".join(texts))
    (data / "lee.cor").write_text("")
    pairs = "\n".join(f"{first}\t{second}\t{len(first)}" for first, second in pairwise(WORDS))
    for name in ("wordsim353.tsv", "simlex999.txt"):
        (data / name).write_text(pairs)
    model = embed_with_teacher(Teacher(folder, device_of("cpu")))
    figures = measure({"teacher": model}, tmp_path)
    assert figures["teacher"].pairs_spearman > 0.9
    assert figures["teacher"].recall_at_10 > 0.9
    heading, _, row = table(figures).splitlines()
    fields = "pairs_spearman | recall_at_10 | wordsim_spearman | simlex_spearman | senses | senses_development"
    assert heading == f"| model | {fields} | senses_test |"
    assert row.startswith(f"| teacher | {figures['teacher'].pairs_spearman:.3f} |")
