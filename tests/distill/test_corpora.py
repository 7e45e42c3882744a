import logging
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.distill import corpora
from sparkalbert.errors import InputError


def test_lines_without_text_are_left_out(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("  One.\n\n \t\nTwo.  ", encoding="utf-8-sig")
    assert list(corpora.line_passages(path)) == ["One.", "Two."]


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("The café is closed today.\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"lines\.txt is not UTF-8 text .*Convert it"):
        list(corpora.line_passages(path))


PASSAGE = "The first sentence stands here. A second one follows it. The third is the last of all."


def test_without_windows_every_sentence_is_a_text():
    assert list(corpora.training_texts([PASSAGE], 0, window_share=0.0)) == [
        "The first sentence stands here.",
        "A second one follows it.",
        "The third is the last of all.",
    ]


@given(seed=st.integers(0, 1000))
def test_windows_cover_the_whole_passage(seed):
    texts = list(corpora.training_texts([PASSAGE], seed, window_share=0.5))
    assert " ".join(texts) == PASSAGE


@pytest.mark.parametrize(
    ("passage", "reason"),
    [
        ("Too short.", "shorter than 15 characters"),
        ("1.5 2.5 3.5 4.5 5.5 6.5 is a table", "less than 70% letters"),
        ("word " * 130, "longer than 600 characters"),
        ("太短了。", "shorter than 15 characters"),
        ("字" * 301, "longer than 600 characters"),
        ("①②③④⑤⑥⑦⑧⑨⑩ ①②③④⑤", "less than 70% letters"),
    ],
)
def test_dropped_texts_are_counted_by_reason(passage, reason):
    dropped = Counter()
    assert list(corpora.training_texts([passage], 0, dropped=dropped)) == []
    assert dropped == {reason: 1}


@pytest.mark.parametrize(
    "text",
    [
        "Собака бежала через поле к реке, где стояла лодка.",
        "Ο σκύλος έτρεξε μέσα από το χωράφι προς το ποτάμι.",
        "नदी के किनारे एक छोटा सा गाँव था जहाँ लोग खेती करते थे",
        "كان الكلب يركض عبر الحقل نحو النهر حيث كان القارب",
        "הכלב רץ דרך השדה אל הנהר שבו עמדה הסירה",
        "河边有一个小村庄，村民们靠种地和打鱼为生。",
        "川のそばに小さな村があり、人々は畑を耕していた。",
        "강가에 작은 마을이 있었고 사람들은 농사를 지었다",
        "มีหมู่บ้านเล็กๆ อยู่ริมแม่น้ำ ผู้คนทำนาทำไร่",
        "நதிக்கரையில் ஒரு சிறிய கிராமம் இருந்தது",
        "მდინარის პირას პატარა სოფელი იყო",
    ],
)
def test_prose_of_every_script_is_kept(text):
    assert list(corpora.training_texts([text], 0)) == [text]


@pytest.mark.parametrize(
    ("passage", "sentences"),
    [
        (
            "河边有一个小村庄，村民们靠种地为生。冬天的时候，河水会结冰！你见过那样的冬天吗？",
            ["河边有一个小村庄，村民们靠种地为生。", "冬天的时候，河水会结冰！", "你见过那样的冬天吗？"],
        ),
        ("他说：「河边有一个小村庄。」后来我们去了那个村庄。", ["他说：「河边有一个小村庄。」后来我们去了那个村庄。"]),
        (
            "नदी के किनारे एक गाँव था। वहाँ लोग खेती करते थे।",
            ["नदी के किनारे एक गाँव था।", "वहाँ लोग खेती करते थे।"],
        ),
        ("هل رأيت النهر الكبير؟ لم أره حتى اليوم أبدا", ["هل رأيت النهر الكبير؟", "لم أره حتى اليوم أبدا"]),
    ],
    ids=["Chinese", "quotation", "Hindi", "Arabic"],
)
def test_sentences_of_other_scripts_are_separated(passage, sentences):
    assert list(corpora.training_texts([passage], 0, window_share=0.0)) == sentences


@pytest.mark.parametrize(("kept", "level"), [(1, "WARNING"), (5, "INFO")])
def test_the_log_shows_what_was_dropped(tmp_path, caplog, kept, level):
    path = tmp_path / "lines.txt"
    texts = [f"A sentence that is {adjective} enough." for adjective in ("long", "short", "new", "old", "good")[:kept]]
    path.write_text("\n".join([*texts, "Short.", "12345 67890 12345", "Too short."]))
    with caplog.at_level(logging.INFO, "sparkalbert.distill"):
        assert sorted(corpora.corpus_texts([path], 0)) == sorted(texts)
    (record,) = caplog.records
    assert record.levelname == level
    assert f"{kept} texts; dropped: 2 shorter than 15 characters, 1 less than 70% letters" in record.getMessage()
