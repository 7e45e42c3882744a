"""Embeds sentences whose tokens are known: the tokenizer and the engine of one model, with options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.inference.batching import BatchingOptions
from sparkalbert.inference.engine import Engine, SpecialPieces
from sparkalbert.inference.model import LoadedModel
from sparkalbert.inference.pooling import VectorOptions
from sparkalbert.inference.session import SessionOptions
from sparkalbert.options import check_choice
from sparkalbert.text.pieces.encoding import (
    ENCODINGS,
    EncodedSentence,
    Encoding,
    encode_sentences,
    encode_token_lists,
    encode_tokens,
)

__all__ = ["Embedder", "EmbedderOptions"]


@dataclass(frozen=True)
class EmbedderOptions:
    """Everything that decides what a vector is and how it is computed; plain data that can be pickled.

    Attributes
    ----------
    encoding
        ``sentence`` encodes the text of a sentence as a whole, as ALBERT was trained; ``token`` encodes each token
        on its own, as Spark NLP does.
    case_sensitive
        For ``token`` only: keep the case instead of lower-casing. For ``sentence`` the model's own
        ``do_lower_case`` decides.
    vectors, batching, session
        See the classes.

    Raises
    ------
    ParamError
        If `encoding` is unknown.
    """

    encoding: Encoding = "sentence"
    case_sensitive: bool = False
    vectors: VectorOptions = field(default_factory=VectorOptions)
    batching: BatchingOptions = field(default_factory=BatchingOptions)
    session: SessionOptions = field(default_factory=SessionOptions)

    def __post_init__(self) -> None:
        check_choice("encoding", self.encoding, ENCODINGS)


class Embedder:
    """Encodes sentences and computes the vectors of their tokens.

    Parameters
    ----------
    model
        The loaded model.
    options
        What a vector is and how it is computed.

    Attributes
    ----------
    dimension
        Width of a vector.
    """

    def __init__(self, model: LoadedModel, options: EmbedderOptions) -> None:
        self.model = model
        self.options = options
        tokenizer = model.tokenizer
        special = SpecialPieces(tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id)
        self._engine = Engine(model.session, special, options.vectors, options.batching)
        self.dimension = self._engine.dimension

    def encode_sentences(self, texts: Sequence[str], spans: Sequence[Int64Array]) -> list[EncodedSentence]:
        """Encode sentences.

        Parameters
        ----------
        texts
            The sentences.
        spans
            For each sentence int64 ``[tokens, 2]``: half-open code point spans of its tokens in the text, in order.
        """
        if self.options.encoding == "token":
            return self.encode_token_lists(
                [[text[start:stop] for start, stop in words.tolist()] for text, words in zip(texts, spans, strict=True)]
            )
        return encode_sentences(self.model.tokenizer, texts, spans)

    def encode_token_lists(self, lists: Sequence[Sequence[str]]) -> list[EncodedSentence]:
        """Encode sentences of which only the tokens are known."""
        if self.options.encoding == "token":
            sensitive = self.options.case_sensitive
            return [encode_tokens(self.model.tokenizer, tokens, case_sensitive=sensitive) for tokens in lists]
        return encode_token_lists(self.model.tokenizer, lists)

    def vectors(self, sentences: Sequence[EncodedSentence]) -> Float32Array:
        """Return the vectors of all tokens of encoded sentences, float32 ``[tokens, dimension]``."""
        return self._engine.embed(sentences)
