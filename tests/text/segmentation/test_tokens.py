import pickle
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.errors import ParamError
from sparkalbert.offsets import Span, utf16_index
from sparkalbert.text.segmentation.sentences import SentenceSplitter
from sparkalbert.text.segmentation.tokens import TokenizerOptions, WordTokenizer
from tests.linear_time import assert_linear_time
from tests.recorded.recordings import OWN, RECORDINGS
from tests.recorded.settings import JAVA_TOKENS, TOKENS, as_options

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
        # Begin and end as the real Spark NLP 5.5.3 reports them.
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
        ({"prefix_pattern": "(a)"}, r"prefixPattern must begin with \\A, got"),
        ({"suffix_pattern": "(a)"}, r"suffixPattern must end with \\z, got"),
        ({"infix_patterns": ("(a)", "b")}, "infixPatterns must use regex groups, got 'b'"),
        ({"context_chars": ("ab",)}, "contextChars must be single characters, got 'ab'"),
        ({"split_chars": ("a", "ab")}, "splitChars must be single characters, got 'ab'"),
        ({"min_length": -1}, "minLength must be at least 0, got -1"),
        ({"min_length": 2, "max_length": 1}, "maxLength must be at least minLength \\(2\\), got 1"),
        ({"target_pattern": "[a"}, r"targetPattern .* found an incomplete expression"),
        ({"prefix_pattern": r"\A(\G)"}, r"prefixPattern .* found the unsupported escape"),
        ({"suffix_pattern": r"()*+*\z"}, r"suffixPattern .* is not a valid regular expression"),
        ({"infix_patterns": (r"(a\G)",)}, r"infixPatterns .* found the unsupported escape"),
        ({"split_pattern": "("}, r"splitPattern '\(' is not supported: found no closing"),
        ({"exceptions": ("*",)}, r"exceptions '\*' is not a valid regular expression"),
    ],
)
def test_invalid_options_name_their_param(options, message):
    with pytest.raises(ParamError, match="^" + message):
        TokenizerOptions(**options)


def test_options_and_tokenizers_can_be_pickled():
    tokenizer = WordTokenizer(TokenizerOptions(exceptions=("a b",), split_chars=("-",)))
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.options == tokenizer.options
    assert copy.tokenize("a b-c x-y") == tokenizer.tokenize("a b-c x-y")


texts = st.text("ab1 .,-'\"()$\t\n\u00a0\u2028\x85é🙂", max_size=40)


@settings(deadline=None)
@given(texts)
def test_every_character_but_spaces_is_in_exactly_one_token(text):
    covered = [at for span in WordTokenizer().tokenize(text) for at in range(*span)]
    assert covered == [at for at, character in enumerate(text) if character not in " \t\n\x0b\f\r"]


@settings(deadline=None)
@given(texts)
def test_the_fast_path_finds_what_the_rules_find(text):
    """Another spelling of the default target makes the tokenizer use the rules."""
    assert WordTokenizer().tokenize(text) == WordTokenizer(TokenizerOptions(target_pattern=r"\S")).tokenize(text)


# The default rule as Spark NLP builds it. It takes exponential time if the suffix does not match.
SPARK_NLP_RULE = re.compile(r"\A([{0}]*)([^{0}](?:{1}*[^{0}])*)([{0}]*)\Z".format(r"\-.,", r"[^\n\r\x85\u2028\u2029]"))


@settings(deadline=None)
@given(st.text("a.,\u2028é", min_size=1, max_size=12))
def test_the_default_rule_matches_what_the_one_of_spark_nlp_matches(candidate):
    found = SPARK_NLP_RULE.match(candidate)
    expected = [part for part in found.groups() if part] if found else [candidate]
    assert tokens(candidate, context_chars=("-", ".", ",")) == expected


@settings(deadline=None)
@given(texts)
def test_split_tokens_contain_no_split_character(text):
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
    assert_linear_time(tokenizer.tokenize, lambda length: unit * (length // len(unit)), 50_000)
    assert_linear_time(tokenizer.tokenize, lambda length: "a" + unit * (length // len(unit)) + "a", 50_000)


def spark_nlp_tokens(text, sentences, tokenizer):
    """Begin, end, text and sentence as Spark NLP reports them, with its lags."""
    units = utf16_index(text)
    found = []
    for number, sentence in enumerate(sentences):
        part = text[slice(*sentence)]
        for span, lag in zip(*tokenizer.tokenize_with_lags(part), strict=True):
            begin, after = int(units[sentence.start + span.start]), int(units[sentence.start + span.stop])
            found.append([begin - lag, after - 1 - lag, part[slice(*span)], str(number)])
    return found


@pytest.mark.parametrize("recordings", RECORDINGS, ids=lambda recordings: recordings.name)
def test_tokens_are_those_of_the_recorded_pipeline(recordings):
    recordings.check_present()
    rows = recordings.texts().values()
    assert len(rows) > 100
    splitter, tokenizer = SentenceSplitter(), WordTokenizer()
    differing = [
        row["id"]
        for row in rows
        if spark_nlp_tokens(row["text"], splitter.split(row["text"]), tokenizer)
        != [[*token[:3], str(token[3])] for token in row["token"]]
    ]
    assert differing == []


@pytest.mark.parametrize(
    ("recordings", "name", "params"),
    [
        *(
            pytest.param(recordings, f"token-{name}", params, id=f"{recordings.name}-{name}")
            for recordings in RECORDINGS
            for name, params in TOKENS.items()
        ),
        *(pytest.param(OWN, name, params, id=name) for name, params in JAVA_TOKENS.items()),
    ],
)
def test_tokens_are_those_of_the_recorded_settings(recordings, name, params):
    recordings.check_present()
    texts = {row["id"]: row["text"] for row in recordings.texts().values()}
    splitter, tokenizer = SentenceSplitter(), WordTokenizer(TokenizerOptions(**as_options(params)))
    rows = [row for row in recordings.output(name) if row["id"] in texts]
    assert len(rows) > 80
    differing = []
    for row in rows:
        text = texts[row["id"]]
        sentences = [Span(0, len(text))] if name == "token-document" else splitter.split(text)
        found = spark_nlp_tokens(text, sentences, tokenizer)
        if found != [[*token[1:4], token[4]["sentence"]] for token in row["out"]]:
            differing.append(row["id"])
    assert differing == []
