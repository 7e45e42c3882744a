"""Texts in, word vectors out, without Spark: for people who want to look before they scale.

It puts the layers below together; the Spark stage runs the same objects on its workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sparkalbert.annotations import Span
from sparkalbert.bundle import Bundle
from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.inference.batching import BatchingOptions
from sparkalbert.inference.engine import Engine, SpecialPieces, VectorOptions
from sparkalbert.inference.pooling import Pooling
from sparkalbert.inference.session import SessionOptions, available_cores, shared_session
from sparkalbert.stage_times import STAGE_TIMES
from sparkalbert.text import PieceTokenizer
from sparkalbert.text.encoding import (
    ENCODINGS,
    EncodedSentence,
    Encoding,
    encode_sentence,
    encode_token_list,
    encode_tokens,
)

if TYPE_CHECKING:
    from sparkalbert.text import SentenceSplitter, WordTokenizer

__all__ = ["EmbeddedText", "EmbedderOptions", "WordEmbedder"]

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EmbedderOptions:
    """Everything that decides what a vector is and how it is computed; plain data, ready to travel.

    Attributes
    ----------
    encoding
        ``sentence`` encodes a sentence's text whole, as ALBERT was trained; ``token`` encodes each
        token alone, as Spark NLP does.
    case_sensitive
        Only for ``token``: keep the case instead of lower-casing. Under ``sentence`` the model's own
        ``do_lower_case`` decides.
    vectors, batching, session
        See there.
    """

    encoding: Encoding = "sentence"
    case_sensitive: bool = False
    vectors: VectorOptions = field(default_factory=VectorOptions)
    batching: BatchingOptions = field(default_factory=BatchingOptions)
    session: SessionOptions = field(default_factory=SessionOptions)

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            msg = f"encoding is {self.encoding!r}, expected one of {', '.join(ENCODINGS)}."
            raise ParamError(msg)


@dataclass(frozen=True)
class EmbeddedText:
    """The words of one text and their vectors, in order.

    Attributes
    ----------
    tokens
        The words.
    begin, end
        Where each word lies: ``text[begin:end] == token``. For texts given as tokens, positions in
        the tokens joined by single spaces.
    vectors
        float32 ``[tokens, dimension]``; zeros for a word without a piece.
    """

    tokens: list[str]
    begin: list[int]
    end: list[int]
    vectors: Float32Array


class WordEmbedder:
    """Turns texts into word vectors in this process.

    Parameters
    ----------
    bundle
        The model.
    options
        What a vector is and how it is computed.

    Examples
    --------
    >>> embedder = WordEmbedder.load("albert_mini_en", threads=1)
    >>> (words,) = embedder.embed(["I love NLP."])
    >>> words.tokens
    ['I', 'love', 'NLP', '.']
    >>> words.vectors.shape == (4, embedder.dimension)
    True
    """

    def __init__(self, bundle: Bundle, options: EmbedderOptions | None = None) -> None:
        self.bundle = bundle
        self.options = options or EmbedderOptions()
        self.tokenizer = PieceTokenizer.load(bundle.path)
        special = SpecialPieces(self.tokenizer.cls_id, self.tokenizer.sep_id, self.tokenizer.pad_id)
        session = shared_session(bundle, self.options.session)
        self._engine = Engine(session, special, self.options.vectors, self.options.batching)

    @classmethod
    def load(  # noqa: PLR0913 - keywords for people at a prompt
        cls,
        model: str | Path,
        *,
        pooling: Pooling = "first",
        layers: Sequence[int] = (-1,),
        max_sentence_length: int = 128,
        encoding: Encoding = "sentence",
        threads: int | None = None,
        device: str = "cpu",
    ) -> WordEmbedder:
        """Load a model by folder or by name.

        Parameters
        ----------
        model
            A bundle or checkpoint folder, the name of an embedded or cached model, or a known name or
            ``owner/name@revision``, which is fetched and converted once.
        pooling
            Which pieces make a word's vector: ``first``, ``last``, ``mean``, ``first_last``.
        layers
            Layers whose mean is taken; -1 is the last, 0 the embedding.
        max_sentence_length
            Most pieces in one window, special pieces included.
        encoding
            ``sentence`` or, as Spark NLP does, ``token``.
        threads
            Threads of one call; None for all cores this process may use.
        device
            ``cpu``, ``cuda`` or ``cuda:N``.

        Raises
        ------
        ModelNotFoundError
            When the name leads nowhere.
        ParamError
            When an option cannot work with this model.
        """
        options = EmbedderOptions(
            encoding=encoding,
            vectors=VectorOptions(pooling, tuple(layers), max_sentence_length),
            session=SessionOptions(threads=threads or available_cores(), device=device),
        )
        from sparkalbert.bundle import find_model

        return cls(find_model(str(model)), options)

    @cached_property
    def _sentences(self) -> SentenceSplitter:
        """Spark's workers are given sentences and words, and need not load what finds them."""
        from sparkalbert.text import SentenceSplitter

        return SentenceSplitter()

    @cached_property
    def _words(self) -> WordTokenizer:
        from sparkalbert.text import WordTokenizer

        return WordTokenizer()

    @property
    def dimension(self) -> int:
        """Width of a word vector."""
        return self._engine.dimension

    def encode(self, text: str, tokens: Sequence[Span]) -> EncodedSentence:
        """Encode one sentence whose tokens are known, see :mod:`sparkalbert.text.encoding`."""
        if self.options.encoding == "token":
            words = [text[token.start : token.stop] for token in tokens]
            return encode_tokens(self.tokenizer, words, case_sensitive=self.options.case_sensitive)
        return encode_sentence(self.tokenizer, text, tokens)

    def encode_list(self, tokens: Sequence[str]) -> EncodedSentence:
        """Encode one sentence given as tokens only."""
        if self.options.encoding == "token":
            return encode_tokens(self.tokenizer, tokens, case_sensitive=self.options.case_sensitive)
        return encode_token_list(self.tokenizer, tokens)

    def vectors(self, sentences: Sequence[EncodedSentence]) -> Float32Array:
        """Return the vectors of all words of encoded sentences, float32 ``[words, dimension]``."""
        return self._engine.embed(sentences)

    def embed(self, texts: Iterable[str]) -> list[EmbeddedText]:
        """Split texts into sentences and words and return each text's words with their vectors.

        Parameters
        ----------
        texts
            Any number of texts.

        Raises
        ------
        ParamTypeError
            When `texts` is one string or holds something else than strings.
        TextError
            When a text is not valid Unicode.
        """
        spans_of_texts, encoded = [], []
        texts = _listed(texts, "embed", str)
        with STAGE_TIMES.measure("tokenize"):
            for text in texts:
                spans: list[Span] = []
                for sentence in self._sentences.split(text):
                    content = text[sentence.start : sentence.stop]
                    words = self._words.tokenize(content)
                    encoded.append(self.encode(content, words))
                    spans += [Span(word.start + sentence.start, word.stop + sentence.start) for word in words]
                spans_of_texts.append(spans)
        vectors = self._split(self.vectors(encoded), [len(spans) for spans in spans_of_texts])
        return [
            EmbeddedText([text[slice(*span)] for span in spans], *_begin_end(spans), rows)
            for text, spans, rows in zip(texts, spans_of_texts, vectors, strict=True)
        ]

    def embed_tokens(self, token_lists: Iterable[Sequence[str]]) -> list[EmbeddedText]:
        """Return vectors for texts that are split into tokens already; each list is one sentence.

        Parameters
        ----------
        token_lists
            Any number of token lists; empty lists and empty tokens are welcome.

        Raises
        ------
        ParamTypeError
            When a list is one string or holds something else than strings.
        TextError
            When a token is not valid Unicode.
        """
        lists = [
            _listed(tokens, "embed_tokens", str) for tokens in _listed(token_lists, "embed_tokens", object)
        ]
        encoded = [self.encode_list(tokens) for tokens in lists]
        vectors = self._split(self.vectors(encoded), [len(tokens) for tokens in lists])
        results = []
        for tokens, rows in zip(lists, vectors, strict=True):
            stops = np.cumsum([len(token) + 1 for token in tokens], dtype=np.int64) - 1
            spans = [
                Span(int(stop) - len(token), int(stop)) for token, stop in zip(tokens, stops, strict=True)
            ]
            results.append(EmbeddedText(tokens, *_begin_end(spans), rows))
        return results

    @staticmethod
    def _split(vectors: Float32Array, counts: Sequence[int]) -> list[Float32Array]:
        return np.split(vectors, np.cumsum(counts)[:-1]) if counts else []


def _begin_end(spans: Sequence[Span]) -> tuple[list[int], list[int]]:
    return [span.start for span in spans], [span.stop for span in spans]


def _listed(values: Iterable[object], method: str, kind: type) -> list[str]:
    if isinstance(values, str):
        msg = f"{method}() takes a list of them, found a single str; put it into a list."
        raise ParamTypeError(msg)
    listed = list(values)
    for position, value in enumerate(listed):
        if not isinstance(value, kind):
            msg = f"{method}() takes strings, found {type(value).__name__} at position {position}."
            raise ParamTypeError(msg)
    return listed  # type: ignore[return-value]
