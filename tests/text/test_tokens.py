import json
import pickle
import re
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.annotations import Span, utf16_index
from sparkalbert.errors import ParamError
from sparkalbert.text.sentences import SentenceSplitter
from sparkalbert.text.tokens import TokenizerOptions, WordTokenizer

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "spark-nlp"
needs_recordings = pytest.mark.skipif(
    not (RECORDED / "pipeline.jsonl").exists(), reason="recordings of Spark NLP are not here"
)
CONTEXT = TokenizerOptions().context_chars


def tokens(text, **options):
    return [text[slice(*span)] for span in WordTokenizer(TokenizerOptions(**options)).tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("almost $17,000.", ["almost", "$17,000", "."]),
        ("I'd say Jane's didn't.", ["I'd", "say", "Jane's", "didn't", "."]),
        ('(He said "hi!").', ["(", "He", "said", '"', "hi", '!").']),
        ("U.N. ...", ["U.N", ".", "..."]),
        ("what?! - 1996-08-21", ["what", "?!", "-", "1996-08-21"]),
        ("e-mail@x.com,", ["e-mail@x.com", ","]),
        ("a\u00a0b\u2009c \u2028.d", ["a\u00a0b\u2009c", "\u2028.d"]),
        ("\u2028. a\x85-", ["\u2028", ".", "a\x85", "-"]),
        ("🙂! (é)", ["🙂", "!", "(", "é", ")"]),
        ("\u2187 a\u2188b", ["\u2187", "a\u2188b"]),
        ("a\x00b\x1cc", ["a\x00b\x1cc"]),
    ],
)
def test_examples(text, expected):
    assert tokens(text) == expected


def test_spans_are_slices_of_the_sentence():
    assert WordTokenizer().tokenize(" (a b.)") == [Span(1, 2), Span(2, 3), Span(4, 5), Span(5, 7)]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("a-b, c!", {"context_chars": (",", "]", "^")}, ["a-b", ",", "c!"]),
        ("^a]", {"context_chars": (",", "]", "^")}, ["^", "a", "]"]),
        ("(a).", {"context_chars": ()}, ["(a)."]),
        ("one, two;3", {"target_pattern": r"[^\s,]+"}, ["one", "two;3"]),
        ("one, (two)+;3", {"target_pattern": r"\w+"}, ["one", "(", "two)+", "3"]),
        ("abc12-9 0Z", {"target_pattern": "a-z-0-7"}, ["abc12", "-", "0"]),
        ("one two", {"target_pattern": r"\S+ "}, ["one two"]),
        (
            "In New York, e-mail (e-mail)",
            {"exceptions": ("New York", "e-mail")},
            ["In", "New York,", "e-mail", "(", "e-mail", ")"],
        ),
        ("extra big", {"exceptions": ("a b",)}, ["extra big"]),
        ("Mr. mr. Mrs", {"exceptions": (r"Mr\.",)}, ["Mr.", "mr", ".", "Mrs"]),
        ("Mr. mr.", {"exceptions": ("x", r"MR\."), "case_sensitive_exceptions": False}, ["Mr.", "mr."]),
        ("a-b/c, -d- -- -", {"split_chars": ("-", "\\/")}, ["a", "b", "c", ",", "d", "--", "-"]),
        ("a/b/.", {"split_chars": ("/",)}, ["a", "b", "."]),
        ("a.b*c", {"split_chars": (r"\.", r"\*")}, ["a", "b", "c"]),
        ("a.b cd", {"split_chars": (".",)}, ["cd"]),  # the pattern . leaves nothing of a.b
        ("a-b*c", {"split_chars": ("-", "*")}, ["a-b*c"]),  # -|* is no pattern
        ("a-b{c", {"split_chars": ("-", "{")}, ["a-b{c"]),
        (
            "-a-b|",
            {"split_chars": ("|", "-")},
            ["-", "a", "-", "b", "|"],
        ),  # ||- cuts between any two characters
        ("a|bc d", {"split_chars": ("|",)}, ["a", "|", "b", "c", "d"]),
        ("a-b -c- it's", {"split_pattern": "[-']"}, ["a", "b", "-", "c", "-", "it", "s"]),
        ("a-b/c", {"split_pattern": "-", "split_chars": ("/",)}, ["a", "b/c"]),
        ("ab c", {"split_pattern": "(?=b)|(?=c)"}, ["a", "b", "c"]),
        ("don't dogs.", {"infix_patterns": (r"(\p{L}+)(n't\b)",)}, ["do", "n't", "dogs."]),
        ("x1! a-b", {"infix_patterns": (r"(\d)", r"(\w)-(\w)", r"(\w)(\w)")}, ["x", "1", "!", "a", "b"]),
        ("$5 #a", {"prefix_pattern": r"\A([^\s\w\$\.]*)"}, ["$5", "#", "a"]),
        ('a").', {"suffix_pattern": r"([^\s\w]?)([^\s\w]*)\z"}, ["a", '"', ")."]),
        ("a", {"infix_patterns": ("(a)|(b)",)}, ["a"]),
        ("a bb 🙂 ccc", {"min_length": 2, "max_length": 2}, ["bb", "🙂"]),
        ("a, b", {"min_length": 2}, []),
    ],
)
def test_options(text, options, expected):
    assert tokens(text, **options) == expected


def test_lags_count_the_wide_characters_between_tokens():
    tokenizer = WordTokenizer(TokenizerOptions(target_pattern=r"\w+"))
    text = "one 🙂🙂 two 🙂 three"
    spans = tokenizer.tokenize(text)
    assert tokenizer.tokenize_with_lags(text) == (spans, [0, 2, 3])
    assert WordTokenizer().tokenize_with_lags(text)[1] == [0] * 5


@pytest.mark.parametrize(
    ("text", "options", "shown"),
    [
        # Each was asked of the real one: what it gives as begin and end.
        (";-1.)", {"split_chars": ("-", "/")}, [(0, 0, ";"), (1, 1, "1"), (2, 3, ".)")]),
        ("-The-", {"split_chars": ("-", "/")}, [(0, 2, "The")]),
        ("--\u00a0\u017f. ", {"split_chars": ("-", "/")}, [(0, 1, "\u00a0\u017f"), (2, 2, ".")]),
        ("-1.)ok;Co'", {"split_chars": ("-", "/")}, [(0, 7, "1.)ok;Co"), (8, 8, "'")]),
        ("a-b-ab-b", {"split_chars": ("-",)}, [(0, 0, "a"), (2, 2, "b"), (4, 5, "ab"), (7, 7, "b")]),
        ("a🙂-b🙂- c", {"split_chars": ("-",)}, [(0, 2, "a🙂"), (4, 6, "b🙂"), (9, 9, "c")]),
    ],
)
def test_offsets_drift_where_spark_nlps_do(text, options, shown):
    units = utf16_index(text)
    spans, lags = WordTokenizer(TokenizerOptions(**options)).tokenize_with_lags(text)
    assert [
        (int(units[start]) - lag, int(units[stop]) - 1 - lag, text[start:stop])
        for (start, stop), lag in zip(spans, lags, strict=True)
    ] == shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefix_pattern": "(a)"}, r"prefixPattern must begin with \\A to ensure"),
        ({"suffix_pattern": "(a)"}, r"suffixPattern must end with \\z to ensure"),
        ({"infix_patterns": ("(a)", "b")}, "infixPatterns must use regex group, found 'b'"),
        ({"context_chars": ("ab",)}, "contextChars must be single characters, found 'ab'"),
        ({"split_chars": ("a", "ab")}, "splitChars must be single characters, found 'ab'"),
        ({"min_length": -1}, "minLength must be greater equal than 0, found -1"),
        ({"min_length": 2, "max_length": 1}, "maxLength must be greater equal than minLength, found 1 and 2"),
        ({"target_pattern": "[a"}, r"targetPattern .* has an unfinished end"),
        ({"prefix_pattern": r"\A(\X)"}, r"prefixPattern .* has the unsupported escape"),
        ({"suffix_pattern": r"()*+*\z"}, r"suffixPattern .* cannot be used"),
        ({"infix_patterns": (r"(a\G)",)}, r"infixPatterns .* has the unsupported escape"),
        ({"split_pattern": "("}, r"splitPattern '\(' cannot be used"),
        ({"exceptions": ("*",)}, r"exceptions '\*' cannot be used"),
    ],
)
def test_options_that_cannot_work_name_their_param(options, message):
    with pytest.raises(ParamError, match="^" + message):
        TokenizerOptions(**options)


def test_options_and_tokenizers_travel_to_workers():
    tokenizer = WordTokenizer(TokenizerOptions(exceptions=("a b",), split_chars=("-",)))
    travelled = pickle.loads(pickle.dumps(tokenizer))
    assert travelled.options == tokenizer.options
    assert travelled.tokenize("a b-c x-y") == tokenizer.tokenize("a b-c x-y")


texts = st.text("ab1 .,-'\"()$\t\n\u00a0\u2028\x85é🙂", max_size=40)


@settings(deadline=None)
@given(texts)
def test_every_character_but_spaces_is_in_exactly_one_token(text):
    covered = [at for span in WordTokenizer().tokenize(text) for at in range(*span)]
    assert covered == [at for at, character in enumerate(text) if character not in " \t\n\x0b\f\r"]


@settings(deadline=None)
@given(texts)
def test_the_fast_way_finds_what_the_rules_find(text):
    """The rules are used where the target is spelled another way."""
    assert WordTokenizer().tokenize(text) == WordTokenizer(TokenizerOptions(target_pattern=r"\S")).tokenize(
        text
    )


# The default rule as Spark NLP builds it. Its time is exponential where the suffix fails.
SPARK_NLP_RULE = re.compile(
    r"\A([{0}]*)([^{0}](?:{1}*[^{0}])*)([{0}]*)\Z".format(r"\-.,", r"[^\n\r\x85\u2028\u2029]")
)


@settings(deadline=None)
@given(st.text("a.,\u2028é", min_size=1, max_size=12))
def test_the_default_rule_matches_what_the_one_of_spark_nlp_matches(candidate):
    found = SPARK_NLP_RULE.match(candidate)
    expected = [part for part in found.groups() if part] if found else [candidate]
    assert tokens(candidate, context_chars=("-", ".", ",")) == expected


@settings(deadline=None)
@given(texts)
def test_split_tokens_hold_no_split_character(text):
    spans = WordTokenizer(TokenizerOptions(split_chars=("-", r"\$"))).tokenize(text)
    assert all(a.stop <= b.start for a, b in pairwise(spans))
    for span in spans:
        token = text[slice(*span)]
        assert token
        assert not set("-$") & set(token) or set(token) <= set(CONTEXT)


@pytest.mark.parametrize("unit", [".", "'", '"', "(", "a", " ", ". ", "a.", "a-", ".a ", "🙂", "\u2028."])
@pytest.mark.parametrize("options", [{}, {"target_pattern": r"\S"}, {"exceptions": ("a b", r"\.\.")}])
def test_time_is_linear_on_hostile_text(unit, options):
    tokenizer = WordTokenizer(TokenizerOptions(**options))
    for text in (unit * (50_000 // len(unit)), "a" + unit * (50_000 // len(unit)) + "a"):
        started = time.process_time()
        tokenizer.tokenize(text)
        assert time.process_time() - started < 3


@cache
def recorded(name):
    with (RECORDED / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def spark_nlp_tokens(text, sentences, tokenizer):
    """Begin and end as Spark NLP reports them, with its lags."""
    units = utf16_index(text)
    found = []
    for number, sentence in enumerate(sentences):
        part = text[slice(*sentence)]
        for span, lag in zip(*tokenizer.tokenize_with_lags(part), strict=True):
            begin, after = int(units[sentence.start + span.start]), int(units[sentence.start + span.stop])
            found.append([begin - lag, after - 1 - lag, part[slice(*span)], str(number)])
    return found


@needs_recordings
def test_tokens_are_those_of_the_recorded_pipeline():
    rows = recorded("pipeline.jsonl")
    assert len(rows) > 1_000
    splitter, tokenizer = SentenceSplitter(), WordTokenizer()
    differing = [
        row["id"]
        for row in rows
        if spark_nlp_tokens(row["text"], splitter.split(row["text"]), tokenizer)
        != [[*token[:3], str(token[3])] for token in row["token"]]
    ]
    assert differing == []


@needs_recordings
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("default", {}),
        ("document", {}),
        ("exceptions", {"exceptions": ("New York", "e-mail", "U.S.", "Mr.", "a b", "Mr. Jones")}),
        (
            "exceptions-nocase",
            {"exceptions": ("new york", "E-MAIL", "u.s.", "mr."), "case_sensitive_exceptions": False},
        ),
        ("splitchars", {"split_chars": ("-", "/")}),
        ("splitpattern", {"split_pattern": "[-/']"}),
        ("target-w", {"target_pattern": r"\w+"}),
        ("target-nonspace-comma", {"target_pattern": r"[^\s,]+"}),
        ("context", {"context_chars": (".", ",", "$", "%")}),
        ("add-context", {"context_chars": (*CONTEXT, "#", "@")}),
        ("min-2", {"min_length": 2}),
        ("max-6", {"max_length": 6}),
        ("infix", {"infix_patterns": (r"(\p{L}+)(n't\b)",)}),
        ("prefix", {"prefix_pattern": r"\A([^\s\w\$\.]*)"}),
        ("suffix", {"suffix_pattern": r"([^\s\w]?)([^\s\w]*)\z"}),
    ],
)
def test_tokens_are_those_of_the_recorded_settings(name, options):
    texts = {row["id"]: row["text"] for row in recorded("pipeline.jsonl")}
    splitter, tokenizer = SentenceSplitter(), WordTokenizer(TokenizerOptions(**options))
    rows = [row for row in recorded(f"annotators/token-{name}.jsonl") if row["id"] in texts]
    assert len(rows) > 300
    differing = []
    for row in rows:
        text = texts[row["id"]]
        sentences = [Span(0, len(text))] if name == "document" else splitter.split(text)
        found = spark_nlp_tokens(text, sentences, tokenizer)
        if found != [[*token[1:4], token[4]["sentence"]] for token in row["out"]]:
            differing.append(row["id"])
    assert differing == []
