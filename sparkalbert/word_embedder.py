"""Embeds texts without Spark, in this process. The Spark stages run the same engine, so vectors are equal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.bundle import Bundle, Precision, write_bundle
from sparkalbert.embedded_text import EmbeddedText
from sparkalbert.errors import BundleError, InferenceError, ParamError, ParamTypeError
from sparkalbert.inference.embedder import Embedder, EmbedderOptions
from sparkalbert.inference.model import MODELS
from sparkalbert.inference.pooling import Pooling, VectorOptions
from sparkalbert.inference.session import SessionOptions
from sparkalbert.machine import available_cores
from sparkalbert.offsets import span_array
from sparkalbert.options import checked_integer
from sparkalbert.text import SentenceSplitter, WordTokenizer
from sparkalbert.text.pieces.encoding import EncodedSentence, Encoding, first_pieces, joined_spans
from sparkalbert.text.pieces.normalization import check_unicode
from sparkalbert.timings import TIMINGS
from sparkalbert.vectors import cosine_similarity

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self

__all__ = ["EmbeddedText", "WordEmbedder"]


class WordEmbedder:
    """Turns texts into word vectors in this process.

    An embedder is safe to use from several threads. It can be pickled and copied: it travels as the path and digest
    of its model, and loads the model again. Used as a context manager, it is closed at the end.

    Parameters
    ----------
    bundle
        The model.
    options
        What a vector is and how it is computed.

    Raises
    ------
    BundleError
        If a file of the bundle is damaged.
    ParamError
        If an option is invalid for this model.

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
        self.options.vectors.check(bundle.manifest)
        self.options.session.check(bundle.manifest)
        model = MODELS.get(bundle.digest, self.options.session, bundle.verify)
        self._open_embedder: Embedder | None = Embedder(model, self.options)
        self._sentence_splitter = SentenceSplitter()
        self._word_tokenizer = WordTokenizer()

    @classmethod
    def load(  # noqa: PLR0913 - keywords for people at a prompt
        cls,
        model: str | os.PathLike[str],
        *,
        revision: str | None = None,
        precision: Precision | None = None,
        allow_download: bool = True,
        do_lower_case: bool | None = None,
        keep_accents: bool | None = None,
        remove_space: bool | None = None,
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
            A bundle or checkpoint folder, the name of an embedded model, a known name, or
            ``owner/name@revision`` on the Hugging Face Hub, which is downloaded and converted once.
        revision
            A commit, branch or tag of a Hub repository.
        precision
            ``fp32``, ``fp16`` or ``int8`` for a model that has to be converted; a bundle keeps its own.
        allow_download
            If false, the network is never used.
        do_lower_case, keep_accents, remove_space
            Options of the tokenizer of a model that has to be converted; None leaves them to its files.
        pooling
            Which pieces of a word make its vector: ``first``, ``last``, ``mean`` or ``first_last``.
        layers
            The layers whose mean is taken; -1 is the last, 0 the embedding.
        max_sentence_length
            Largest number of pieces in one window, special pieces included.
        encoding
            ``sentence`` or, as Spark NLP does, ``token``.
        threads
            Threads of one forward pass; by default one for each core that this process may use.
        device
            ``cpu``, ``cuda`` or ``cuda:N``.

        Raises
        ------
        ModelNotFoundError
            If no such model exists.
        BundleError, CheckpointError, ConfigError
            If the model is damaged or cannot be converted.
        DownloadError
            If the model cannot be downloaded.
        ParamError, ParamTypeError
            If an option is invalid for this model.
        """
        from sparkalbert.models import find_model

        options = EmbedderOptions(
            encoding=encoding,
            vectors=VectorOptions(pooling, layers, max_sentence_length),  # type: ignore[arg-type]
            session=SessionOptions(threads=available_cores() if threads is None else threads, device=device),
        )
        bundle = find_model(
            model,
            revision=revision,
            precision=precision,
            allow_download=allow_download,
            do_lower_case=do_lower_case,
            keep_accents=keep_accents,
            remove_space=remove_space,
        )
        return cls(bundle, options)

    @property
    def dimension(self) -> int:
        """Width of a word vector."""
        return self._embedder.dimension

    def embed(self, texts: Iterable[str]) -> list[EmbeddedText]:
        """Split texts into sentences and words, and return the words of each text with their vectors.

        Parameters
        ----------
        texts
            Any number of texts.

        Raises
        ------
        ParamTypeError
            If `texts` is not a list of strings, for instance a single string.
        TextError
            If a text is not valid Unicode.
        """
        with TIMINGS.measure("tokenize"):
            split = self._split(_strings(texts, "embed"))
        return self._embedded(split)

    def split(self, texts: Iterable[str]) -> list[EmbeddedText]:
        """Return what :meth:`embed` returns, but compute no vectors: they are float32 ``[tokens, 0]``.

        Raises
        ------
        ParamTypeError, TextError
            As :meth:`embed` does.
        """
        split = self._split(_strings(texts, "split"))
        return [text.embedded(np.zeros((len(text.tokens), 0), dtype=np.float32)) for text in split]

    def embed_tokens(self, token_lists: Iterable[Sequence[str]]) -> list[EmbeddedText]:
        """Return vectors for texts that are already split into tokens; each list is one sentence.

        Parameters
        ----------
        token_lists
            Any number of token lists; empty lists and empty tokens are allowed.

        Raises
        ------
        ParamTypeError
            If a list is a single string or contains anything other than strings.
        TextError
            If a token is not valid Unicode.
        """
        lists = []
        if not isinstance(token_lists, str):
            _refuse_others(token_lists, "embed_tokens", "lists of tokens")
        for tokens in [token_lists] if isinstance(token_lists, str) else token_lists:
            if isinstance(tokens, str):
                msg = "embed_tokens() expects lists of tokens, got a str. Did you mean embed_tokens([tokens])?"
                raise ParamTypeError(msg)
            lists.append(list(_strings(tokens, "embed_tokens")))
        encoded = self._embedder.encode_token_lists(lists)
        split = [_SplitText.of_tokens(tokens, one) for tokens, one in zip(lists, encoded, strict=True)]
        return self._embedded(split)

    def stream(self, texts: Iterable[str], batch_size: int = 256) -> Iterator[EmbeddedText]:
        """Yield what :meth:`embed` returns, text by text, holding at most `batch_size` texts at a time.

        Parameters
        ----------
        texts
            Any number of texts, for example the lines of a large file.
        batch_size
            Largest number of texts that are embedded together; it only affects speed and memory.

        Raises
        ------
        ParamError, ParamTypeError
            If `batch_size` is not an integer of at least 1. Errors of :meth:`embed` are raised with their batch.
        """
        _refuse_single_string(texts, "stream")
        return self._stream(_strings(texts, "stream"), checked_integer("batch_size", batch_size, minimum=1))

    def _stream(self, texts: Iterator[str], batch_size: int) -> Iterator[EmbeddedText]:
        while batch := list(islice(texts, batch_size)):
            yield from self.embed(batch)

    def text_vectors(self, texts: Iterable[str]) -> Float32Array:
        """Return one vector per text, the mean of its words' vectors, float32 ``[texts, dimension]``."""
        vectors = [embedded.text_vector() for embedded in self.embed(texts)]
        return np.stack(vectors) if vectors else np.zeros((0, self.dimension), dtype=np.float32)

    def to_pandas(self, texts: Iterable[str]) -> pd.DataFrame:
        """Return one row per word of all texts: ``text`` (its position), then as :meth:`EmbeddedText.to_pandas`."""
        import pandas as pd

        embedded = self.embed(texts)
        # Without texts, the frame is that of a text without words.
        frame = pd.concat([text.to_pandas() for text in embedded or self.split([""])], ignore_index=True)
        num_words = np.array([len(text) for text in embedded], dtype=np.int64)
        frame.insert(0, "text", np.repeat(np.arange(len(embedded)), num_words))
        return frame

    @staticmethod
    def similarity(first: Float32Array, second: Float32Array) -> Float32Array:
        """Return the cosine of each pair of vectors.

        Parameters
        ----------
        first, second
            float32 ``[n, dimension]`` and ``[m, dimension]``.

        Returns
        -------
        ndarray
            float32 ``[n, m]``; 0 for a zero vector.

        Raises
        ------
        ParamError, ParamTypeError
            If they are not arrays of vectors of the same dimension.
        """
        first, second = _vectors(first, "first"), _vectors(second, "second")
        if first.shape[-1] != second.shape[-1]:
            msg = (
                f"similarity() expects vectors of the same dimension, got {first.shape[-1]} and {second.shape[-1]}. "
                "Use the same model and pooling for both."
            )
            raise ParamError(msg)
        return cosine_similarity(first, second)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Copy the model's bundle to a folder, from which :meth:`load` loads it again.

        Raises
        ------
        OutputError
            If `folder` exists and must not be replaced, or cannot be written.
        BundleError
            If a file of the bundle has been damaged since it was loaded.
        """
        with write_bundle(Path(folder), self.bundle.manifest, overwrite=overwrite) as work:
            for name in self.bundle.manifest.files:
                shutil.copyfile(self.bundle.path / name, work / name)
            Bundle(work, self.bundle.manifest).verify()

    def close(self) -> None:
        """Release the model; using the embedder afterwards is an error.

        The process keeps the two models that it used last, so that loading one of them again is fast.
        """
        self._open_embedder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_again, (str(self.bundle.path.resolve()), self.bundle.digest, self.options)

    @property
    def _embedder(self) -> Embedder:
        if self._open_embedder is None:
            msg = f"This WordEmbedder of model {self.bundle.manifest.name!r} is closed. Load another one."
            raise InferenceError(msg)
        return self._open_embedder

    def _split(self, texts: Iterable[str]) -> list[_SplitText]:
        """Split texts into sentences and words. Sentences are encoded together, since each call has a fixed cost."""
        bounds: list[tuple[str, Int64Array]] = []
        sentences: list[str] = []
        spans: list[Int64Array] = []
        for text in texts:
            check_unicode(text)  # before the text is split, so that the error gives the position in the text
            own = np.array(list(self._sentence_splitter.split(text)), dtype=np.int64).reshape(-1, 2)
            bounds.append((text, own))
            sentences += [text[start:stop] for start, stop in own.tolist()]
            spans += [span_array(self._word_tokenizer.tokenize(sentence)) for sentence in sentences[len(spans) :]]
        encoded = self._embedder.encode_sentences(sentences, spans)
        split, first = [], 0
        for text, own in bounds:
            part = slice(first, first + len(own))
            absolute = np.concatenate([span_array([]), *map(np.add, spans[part], own[:, :1])])
            words = [text[start:stop] for start, stop in absolute.tolist()]
            split.append(_SplitText(words, absolute, own, encoded[part]))
            first = part.stop
        return split

    def _embedded(self, split: Sequence[_SplitText]) -> list[EmbeddedText]:
        vectors = self._embedder.vectors([encoded for text in split for encoded in text.encoded])
        results, first = [], 0
        for text in split:
            stop = first + len(text.tokens)
            # A copy, so that keeping one text does not keep the vectors of all.
            results.append(text.embedded(vectors[first:stop].copy()))
            first = stop
        return results


@dataclass(frozen=True)
class _SplitText:
    """A text before it is embedded: its words (int64 ``[tokens, 2]`` spans) and its sentences (``[sentences, 2]``)."""

    tokens: list[str]
    spans: Int64Array
    sentences: Int64Array
    encoded: list[EncodedSentence]

    @classmethod
    def of_tokens(cls, tokens: list[str], encoded: EncodedSentence) -> _SplitText:
        spans = joined_spans(tokens)
        return cls(tokens, spans, np.array([[0, spans[:, 1].max(initial=0)]]), [encoded])

    def embedded(self, vectors: Float32Array) -> EmbeddedText:
        counts = [len(encoded.ranges) for encoded in self.encoded]
        return EmbeddedText(
            self.tokens,
            self.spans[:, 0].tolist(),
            self.spans[:, 1].tolist(),
            np.repeat(np.arange(len(counts)), counts).tolist(),
            vectors,
            first_pieces(self.encoded).tolist(),
            self.sentences[:, 0].tolist(),
            self.sentences[:, 1].tolist(),
        )


def _load_again(path: str, digest: str, options: EmbedderOptions) -> WordEmbedder:
    try:
        bundle = Bundle.open(path)
        found = bundle.digest
    except BundleError as error:
        msg = f"This WordEmbedder was pickled with the model in {path}, which cannot be opened now. {error}"
        raise BundleError(msg) from error
    if found != digest:
        msg = (
            f"This WordEmbedder was pickled with a different model from the one in {path} now: the digest is "
            f"{found[:16]}, expected {digest[:16]}. Load the model with WordEmbedder.load and pickle it again."
        )
        raise BundleError(msg)
    return WordEmbedder(bundle, options)


def _strings(values: Iterable[Any], method: str) -> Iterator[str]:
    """Yield values that have been checked to be strings."""
    _refuse_single_string(values, method)
    for position, value in enumerate(values):
        if not isinstance(value, str):
            msg = f"{method}() expects strings, got {type(value).__name__} at position {position}."
            raise ParamTypeError(msg)
        yield value


def _refuse_single_string(texts: Iterable[Any], method: str) -> None:
    if isinstance(texts, str):
        msg = f"{method}() expects a list of strings, got a single str. Did you mean {method}([text])?"
        raise ParamTypeError(msg)
    _refuse_others(texts, method, "a list of strings")


def _refuse_others(values: object, method: str, expected: str) -> None:
    is_frame = hasattr(values, "columns")  # a frame yields the names of its columns
    if not isinstance(values, Iterable) or is_frame or isinstance(values, (Mapping, AbstractSet)):
        hint = f" Did you mean {method}(frame['text'])?" if is_frame else ""
        msg = f"{method}() expects {expected}, got {type(values).__name__}.{hint}"
        raise ParamTypeError(msg)


def _vectors(values: object, name: str) -> Float32Array:
    """Return an argument of :meth:`WordEmbedder.similarity` as an array."""
    if isinstance(values, EmbeddedText):
        msg = f"similarity() expects vectors, got EmbeddedText as {name}. Did you mean {name}.vectors?"
        raise ParamTypeError(msg)
    try:
        found = np.asarray(values)
    except ValueError as error:
        msg = f"similarity() expects vectors of one length as {name}, got vectors of several."
        raise ParamTypeError(msg) from error
    if found.ndim not in {1, 2} or found.dtype.kind not in "fiu":
        msg = (
            f"similarity() expects numbers of shape [n, dimension], got {type(values).__name__} of {found.dtype} with "
            f"shape {list(found.shape)} as {name}."
        )
        raise ParamTypeError(msg)
    return found if found.dtype.kind == "f" else found.astype(np.float32)
