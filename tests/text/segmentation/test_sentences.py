import pickle
import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparkalbert.errors import ParamError
from sparkalbert.offsets import Span, utf16_index
from sparkalbert.text.segmentation.sentence_rules import CLOSE, OPEN, protect_single_quotes
from sparkalbert.text.segmentation.sentences import SentenceOptions, SentenceSplitter
from tests.linear_time import assert_linear_time
from tests.recorded.recordings import OWN, RECORDINGS
from tests.recorded.settings import JAVA_SENTENCES, SENTENCES, as_options

TRIMMED = "".join(map(chr, range(0x21)))


def sentences(text, **options):
    return [text[slice(*span)] for span in SentenceSplitter(SentenceOptions(**options)).split(text)]


# One example per rule, with | where a sentence ends.
EXAMPLES = [
    "One.| Two;| three",
    "Really?!| Yes!| No ! ?",  # marks that stand alone end nothing
    "It cost $5!|$ or less",
    "He has 3.14 of .5 and v2.x there.",
    "1. First|  2. Second| 3.) Third",
    "See| (a) this| (b) that and| (words)",
    "a) this| (ii) that",
    "12. months",
    "-7. Below| -8. Lower",
    "Dr. Wu met Mr. Jones at St. Mary.| No. 5 is Prof. Ng, of Acme Co. KG.",
    "Ask Dr.:5 now.",
    "Apples etc. are sweet.| Pears etc.| Grow.",
    "Inc. is, e.g., i.e. as is.| Inc.-like Co.| An inc.-like co. I'm in.",
    "J. R. Smith and A. lone.",
    "The U.S.A. is big.| The U.S.| And I.",
    "At 5 p.m. sharp.| At 6 P.M.| All.",
    "The U.S.'s law.| The firm.'s",
    "See example.com or file.txt now.",
    "At N°. 1026.253.553 here.",
    "Well...| Then.",
    "Well.|.|.| then",
    'He said "Go. Now!" twice.',
    "He said 'Go. Now.' twice.",
    "Don't. |Can't.",
    "It (see five. Or six.) ends [here. Or there.] so.",
    "It (see p. five.| Or six.|) so.",  # an abbreviation within lifts the protection,
    "Tab.|\tNewline\nno end.",
    "  \t lead and trail. |  \x1f",
    "🙂. |é! |中文. |",
]


@pytest.mark.parametrize("marked", EXAMPLES)
def test_examples(marked):
    parts = [part.strip(TRIMMED) for part in marked.split("|")]
    assert sentences(marked.replace("|", "")) == [part for part in parts if part]


def test_a_text_without_characters_has_no_sentences():
    assert [sentences(text) for text in ("", " \n\t ", ".")] == [[], [], ["."]]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("Acme Inc. is big. Mr. Wu", {"use_abbreviations": False}, ["Acme Inc.", "is big.", "Mr.", "Wu"]),
        ("The U.S. is big.", {"use_abbreviations": False}, ["The U.S. is big."]),
        ("See (a) this. 2. that", {"detect_lists": False}, ["See (a) this.", "2.", "that"]),
        ("one\ntwo. three", {"custom_bounds": ("\n",)}, ["one", "two.", "three"]),
        ("a--b. c;d", {"custom_bounds": ("--", "c")}, ["a", "b.", ";", "d"]),
        ("a--b", {"custom_bounds": ("--",), "custom_bounds_strategy": "append"}, ["a--", "b"]),
        ("a--b", {"custom_bounds": ("--",), "custom_bounds_strategy": "prepend"}, ["a", "--b"]),
        ("a. b--c", {"custom_bounds": ("--",), "use_custom_bounds_only": True}, ["a. b", "c"]),
        ("a. b--c", {"use_custom_bounds_only": True}, ["a.", "b--c"]),
        ("aXXbc", {"custom_bounds": (r"X|(?=c)",), "use_custom_bounds_only": True}, ["a", "b", "c"]),
        # As many words as fit; Spark NLP counts a space after each, and an emoji as two.
        ("one two three four.", {"split_length": 8}, ["one two", "three", "four."]),
        ("🙂🙂 a bb", {"split_length": 6}, ["🙂🙂 a", "bb"]),
        ("incomprehensible so. a", {"split_length": 4}, ["incomprehensible", "so.", "a"]),
        ("a  b", {"split_length": 1}, ["a", "b"]),
        ("One. Two three. 🙂.", {"min_length": 4}, ["One.", "Two three."]),
        ("One. Two three. 🙂🙂.", {"max_length": 4}, ["One."]),
        ("One. Two.", {"min_length": 4, "max_length": 4}, ["One.", "Two."]),
    ],
)
def test_options(text, options, expected):
    assert sentences(text, **options) == expected


def test_the_default_max_length_loses_no_sentence():
    long = "a" * 100_001
    assert sentences(long) == [long]
    assert sentences(long, max_length=100_000) == []
    assert sentences(long, max_length=99_999) == []  # the default that Spark NLP declares applies if it is set
    assert sentences(long, min_length=100_001) == [long]


def test_the_marks_of_spark_nlp_are_ordinary_text():
    text = "\uf050 one\u255e two\uf056. Three\uf057."
    assert sentences(text) == ["\uf050 one\u255e two\uf056.", "Three\uf057."]


def test_lone_surrogates_do_not_end_a_sentence():
    assert sentences("a\udc00b\udc04c\ud800. d") == ["a\udc00b\udc04c\ud800.", "d"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"custom_bounds_strategy": "both"}, "customBoundsStrategy must be none, prepend or append"),
        ({"split_length": 0}, "splitLength must be at least 1, got 0"),
        ({"min_length": -1}, "minLength must be at least 0, got -1"),
        ({"min_length": 3, "max_length": 2}, "maxLength must be at least minLength \\(3\\), got 2"),
        ({"custom_bounds": ("a", "(")}, "customBounds '\\(' is not supported: found no closing"),
    ],
)
def test_invalid_options_name_their_param(options, message):
    with pytest.raises(ParamError, match="^" + message):
        SentenceOptions(**options)


def test_options_and_splitters_can_be_pickled():
    splitter = SentenceSplitter(SentenceOptions(custom_bounds=(r"\p{Lu}",), use_custom_bounds_only=True))
    copy = pickle.loads(pickle.dumps(splitter))
    assert copy.options == splitter.options
    assert copy.split("aÉb") == splitter.split("aÉb") == [Span(0, 1), Span(2, 3)]


# Texts to which every rule applies now and then.
pieces = st.sampled_from(
    [
        *"aZ5 .!?;,:'\"()[]$|-\n\té🙂\u2028\u0301",
        "...",
        " Mr.",
        " e.g.",
        " p.m.",
        " U.S.",
        "1.",
        "(a)",
        "'s ",
        " '",
    ]
)
texts = st.lists(pieces, max_size=40).map("".join)


@settings(deadline=None)
@given(texts)
@example("Mr. '...'. a")
def test_sentences_are_in_order_and_trimmed_and_drop_only_spaces(text):
    left = []
    at = 0
    for start, stop in SentenceSplitter().split(text):
        assert at <= start < stop
        assert text[start:stop] == text[start:stop].strip(TRIMMED)
        left.append(text[at:start])
        at = stop
    assert "".join([*left, text[at:]]).strip(TRIMMED) == ""


@settings(deadline=None)
@given(texts, st.integers(1, 20))
def test_cut_sentences_are_short_and_complete(text, limit):
    whole = sentences(text)
    parts = SentenceSplitter(SentenceOptions(split_length=limit)).split(text)
    words = [word for span in parts for word in text[slice(*span)].split(" ")]
    assert [word for word in words if word] == [word for part in whole for word in part.split(" ") if word]
    for span in parts:
        part = text[slice(*span)]
        assert len(part.encode("utf-16-le")) // 2 <= limit or " " not in part


@settings(deadline=None)
@given(
    st.text("ab.\n '", max_size=20),
    st.lists(st.sampled_from(["", "(?=b)", "a*", ".", r"\W", r"\n", "b|a", "$"]), min_size=1, max_size=3),
    st.sampled_from(["none", "append", "prepend"]),
    st.booleans(),
)
def test_custom_bounds_of_any_kind_keep_the_text_in_order(text, bounds, strategy, only):
    options = SentenceOptions(custom_bounds=tuple(bounds), custom_bounds_strategy=strategy, use_custom_bounds_only=only)
    spans = SentenceSplitter(options).split(text)
    assert [span for span in spans if not 0 <= span.start < span.stop <= len(text)] == []
    assert all(first.stop <= second.start for first, second in pairwise(spans))
    if strategy != "none":
        assert "".join("".join(text[slice(*span)] for span in spans).split()) == "".join(text.split())


# The original, which takes quadratic time; `re` has no look-behind of two widths.
SPARK_NLP_SINGLE_QUOTES = re.compile(r"(?:(?<=\s)|(?<![\s\S]))'[\w\s?!.,|']+'\W", re.ASCII)


@settings(deadline=None)
@given(st.text("' a.;\n", max_size=30))
def test_single_quotes_are_protected_as_by_the_pattern_of_spark_nlp(text):
    expected = SPARK_NLP_SINGLE_QUOTES.sub(rf"{OPEN}\g<0>{CLOSE}", text)
    assert protect_single_quotes(text) == expected


HOSTILE = [
    *("." * 3, "'", '"', "(", "[", "!", "?", " ", ";", "\n", "\u2028", "🙂."),
    *(
        "'a ",
        " 'a",
        '"a',
        "(a",
        "[a",
        "!a",
        "... ",
        "...  ",
        "a.",
        "A. ",
        " p.m",
        "1. ",
        "(a)",
        "Mr. ",
        "u.s.",
    ),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_is_linear_on_hostile_text(unit):
    split = SentenceSplitter().split
    assert_linear_time(split, lambda length: unit * (length // len(unit)), 100_000)
    assert_linear_time(split, lambda length: "a" + unit * (length // len(unit)) + "a'", 100_000)


def spark_nlp_sentences(text, splitter):
    """Begin, end and text as Spark NLP reports them, with its lags."""
    units = utf16_index(text)
    return [
        [int(units[start]) - lag, int(units[stop]) - 1 - lag, text[start:stop]]
        for (start, stop), lag in zip(*splitter.split_with_lags(text), strict=True)
    ]


@pytest.mark.parametrize("recordings", RECORDINGS, ids=lambda recordings: recordings.name)
def test_sentences_are_those_of_the_recorded_pipeline(recordings):
    recordings.check_present()
    splitter = SentenceSplitter()
    rows = recordings.texts().values()
    assert len(rows) > 100
    differing = [
        row["id"]
        for row in rows
        if spark_nlp_sentences(row["text"], splitter) != [sentence[:3] for sentence in row["sentence"]]
    ]
    assert differing == []


@pytest.mark.parametrize(
    ("recordings", "name", "params"),
    [
        *(
            pytest.param(recordings, f"sentence-{name}", params, id=f"{recordings.name}-{name}")
            for recordings in RECORDINGS
            for name, params in SENTENCES.items()
        ),
        *(pytest.param(OWN, name, params, id=name) for name, params in JAVA_SENTENCES.items()),
    ],
)
def test_sentences_are_those_of_the_recorded_settings(recordings, name, params):
    recordings.check_present()
    texts = {row["id"]: row["text"] for row in recordings.texts().values()}
    splitter = SentenceSplitter(SentenceOptions(**as_options(params)))
    rows = [row for row in recordings.output(name) if row["id"] in texts]
    assert len(rows) > 80
    differing = [
        row["id"]
        for row in rows
        if spark_nlp_sentences(texts[row["id"]], splitter) != [sentence[1:4] for sentence in row["out"]]
    ]
    assert differing == []
