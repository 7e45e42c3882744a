"""ALBERT's tokenizer: the pieces of a text, with offsets into the raw text.

:meth:`PieceTokenizer.encode` follows the program that the model was trained with: for a SentencePiece vocabulary
google-research/albert ``tokenization.py`` and the slow ``AlbertTokenizer`` of transformers 3 and 4 (normalize, encode
with sentencepiece, split pieces that end in a digit and a comma; transformers 5 does not split them), for a
``tokenizer.json`` or a WordPiece vocabulary the tokenizers library. :meth:`PieceTokenizer.encode_token` follows Spark
NLP's annotators instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sparkalbert.bundle.folder import TOKENIZER_CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.bundle.manifest import TokenizerRecord
from sparkalbert.errors import ConfigError, ParamError
from sparkalbert.text.pieces.files import find_tokenizer
from sparkalbert.text.pieces.loading import DEFAULT, PieceEncoder, load_encoder, restored_encoder
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.options import PieceOptions
from sparkalbert.text.pieces.sentence_pieces import SentencePieces
from sparkalbert.text.pieces.special_tokens import AddedToken, SpecialNames
from sparkalbert.text.pieces.unproducible import check_options
from sparkalbert.text.pieces.vocabulary import Pieces

__all__ = ["PieceTokenizer"]

_CLASSES: Final = {"sentencepiece": "AlbertTokenizer", "tokenizers": "PreTrainedTokenizerFast"}


class PieceTokenizer:
    """A vocabulary and the normalization that goes with it.

    Instances are immutable, can be shared between threads and can be pickled. Usually made by :meth:`load`.

    Parameters
    ----------
    vocabulary
        The bytes of a ``spiece.model``.
    options
        The normalization of the checkpoint; by default that of ``transformers.AlbertTokenizer``.
    source
        The name of the vocabulary in error messages.
    names
        How the vocabulary spells its special tokens.
    added_tokens
        Tokens that were added to it.

    Raises
    ------
    CheckpointError
        If `vocabulary` is not a SentencePiece model or lacks ALBERT's special pieces.
    """

    def __init__(
        self,
        vocabulary: bytes,
        options: NormalizationOptions | None = None,
        *,
        source: str = VOCABULARY_FILE,
        names: SpecialNames | None = None,
        added_tokens: Sequence[AddedToken] = (),
    ) -> None:
        options = NormalizationOptions() if options is None else options
        names = SpecialNames() if names is None else names
        self._encoder: PieceEncoder = SentencePieces(vocabulary, options, names, added_tokens, source)
        self._source = source
        self._origins: Mapping[str, str] = {}
        self._contradiction = self._doubt = ""
        self._has_config = False

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        do_lower_case: bool | None = None,
        keep_accents: bool | None = None,
        remove_space: bool | None = None,
        check_vocabulary: bool = False,
    ) -> PieceTokenizer:
        """Load the tokenizer of a model folder or a vocabulary file.

        Parameters
        ----------
        path
            A bundle, a Hugging Face checkpoint, a Spark NLP import folder (``assets/spiece.model``),
            or a vocabulary file. See :func:`sparkalbert.text.pieces.files.find_tokenizer` for the file that is taken.
            Options, special tokens and added tokens come from the files beside it; unknown keys are ignored, missing
            keys have Hugging Face's defaults.
        do_lower_case, keep_accents, remove_space
            Override the options of the files if not None.
        check_vocabulary
            If true, options that nothing states must agree with the vocabulary; if a ``tokenizer_config.json`` leaves
            them to the defaults of its class, a contradiction is a warning. Options that it states must agree with the
            ``tokenizer.json`` beside it, unless the files name a class that never reads them. See
            :meth:`check_vocabulary`.

        Raises
        ------
        ModelNotFoundError
            If `path` or its vocabulary does not exist.
        CheckpointError
            If ALBERT cannot have this vocabulary, if sparkalbert does not have its tokenizer, or if a file cannot be
            read.
        ConfigError
            If ``tokenizer_config.json`` is not valid; every problem is listed. With `check_vocabulary` and without
            such a file, if the vocabulary has pieces that options nobody stated could never produce; with it, if two
            files contradict each other.
        MissingDependencyError
            If the model requires the tokenizers library, which is not installed.
        """
        given = PieceOptions(do_lower_case, keep_accents, remove_space)
        found = find_tokenizer(Path(path))
        loaded = load_encoder(found, given, warn=not check_vocabulary)
        tokenizer = cls._of(loaded.encoder, str(found.path), loaded.origins)
        tokenizer._contradiction, tokenizer._has_config = loaded.contradiction, found.has_config  # noqa: SLF001
        return tokenizer.check_vocabulary() if check_vocabulary else tokenizer

    def check_vocabulary(self) -> PieceTokenizer:
        """Check the options that :meth:`load` found, and return the tokenizer itself.

        Options that nothing states must agree with the vocabulary; if there is a ``tokenizer_config.json``, a
        contradiction is a warning and the :attr:`doubt` of the tokenizer. Options that it states must agree with the
        ``tokenizer.json`` beside it.

        Raises
        ------
        ConfigError
            If the options are contradicted; the message names the options to pass.
        """
        if self._contradiction:
            raise ConfigError(self._contradiction)
        unstated = [name for name, origin in self._origins.items() if origin == DEFAULT]
        self._doubt = check_options(self._encoder, unstated, self._source, only_warn=self._has_config)
        return self

    @classmethod
    def _of(cls, encoder: PieceEncoder, source: str, origins: Mapping[str, str]) -> PieceTokenizer:
        tokenizer = cls.__new__(cls)
        tokenizer._encoder, tokenizer._source, tokenizer._origins = encoder, source, origins  # noqa: SLF001
        tokenizer._contradiction = tokenizer._doubt = ""  # noqa: SLF001
        tokenizer._has_config = False  # noqa: SLF001
        return tokenizer

    @property
    def options(self) -> NormalizationOptions:
        """The normalization that :meth:`encode` applies."""
        return self._encoder.options

    @property
    def doubt(self) -> str:
        """Why options that no file states are probably wrong; empty before :meth:`check_vocabulary`."""
        return self._doubt

    @property
    def vocabulary_size(self) -> int:
        """The number of ids: one more than the largest that a text can get."""
        return len(self._encoder.pieces)

    @property
    def pad_id(self) -> int:
        """An id for padding, which is masked: that of ``<pad>``, if it is in the vocabulary."""
        return self._encoder.pad_id

    @property
    def unk_id(self) -> int:
        """Id of ``<unk>``; -1 if the vocabulary has none."""
        return self._encoder.unk_id

    @property
    def cls_id(self) -> int:
        """Id of the special token before a text, ``[CLS]``."""
        return self._encoder.cls_id

    @property
    def sep_id(self) -> int:
        """Id of the special token after a text, ``[SEP]``."""
        return self._encoder.sep_id

    @property
    def record(self) -> TokenizerRecord:
        """What the manifest of a bundle reports about the tokenizer."""
        return TokenizerRecord(
            self._encoder.kind, self._encoder.file, Path(self._source).name, asdict(self.options), dict(self._origins)
        )

    def piece(self, piece_id: int) -> str:
        """Return the piece with an id; empty for an id that nothing names.

        Raises
        ------
        ParamError
            If the vocabulary has no such id.
        """
        if not 0 <= piece_id < self.vocabulary_size:
            msg = f"piece_id must be between 0 and {self.vocabulary_size - 1}, got {piece_id}."
            raise ParamError(msg)
        return self._encoder.pieces[piece_id]

    def encode(self, text: str) -> Pieces:
        """Encode a text by the rule of the reference tokenizers.

        Special tokens that are written in the text (``[MASK]``) are treated like any other text, unless a SentencePiece
        vocabulary has them as user-defined symbols. Tokens that were added to the vocabulary get their ids.

        Raises
        ------
        TextError
            If `text` contains a lone surrogate.
        """
        return self._encoder.encode(text)

    def encode_token(self, token: str, case_sensitive: bool = False) -> Pieces:
        """Encode one token by the rule of Spark NLP.

        The token is lower-cased unless `case_sensitive` is true, and encoded on its own; pieces that are a
        lone ``▁`` are dropped. Accents and quotes are kept, and no piece is split at a comma (Spark NLP
        ``Albert.scala``, ``SentencepieceEncoder.scala``). A character beyond U+FFFF is unknown, even if the
        vocabulary has it or its normal form (U+1D59B, a v), because Spark NLP hands sentencepiece the JVM's
        modified UTF-8, in which such a character is invalid (seen in 5.5.3). A WordPiece vocabulary follows
        ``BertEmbeddings``, which drops accents when it lower-cases.

        Returns
        -------
        Pieces
            Offsets count from the start of `token`. Empty if no piece of the token is left.

        Raises
        ------
        TextError
            If `token` contains a lone surrogate.
        """
        return self._encoder.encode_token(token, case_sensitive=case_sensitive)

    def save(self, folder: Path) -> None:
        """Write the files of the tokenizer as a bundle has them.

        The vocabulary is ``spiece.model`` or ``tokenizer.json``; ``tokenizer_config.json`` states every option, special
        token and added token under Hugging Face's names.
        """
        encoder = self._encoder
        (folder / encoder.file).write_bytes(encoder.serialized())
        config: dict[str, Any] = {**asdict(encoder.options), **asdict(encoder.names)}
        config["tokenizer_class"] = _CLASSES[encoder.kind]
        if encoder.added_tokens:
            config["added_tokens_decoder"] = {str(token.id): token.to_dict() for token in encoder.added_tokens}
        text = json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True)
        (folder / TOKENIZER_CONFIG_FILE).write_text(f"{text}\n", encoding="utf-8")

    def __reduce__(self) -> tuple[Any, ...]:
        encoder = self._encoder
        state = (encoder.options, encoder.names, encoder.added_tokens, self._source, self._origins)
        return _unpickled, (encoder.kind, encoder.serialized(), *state)


def _unpickled(  # noqa: PLR0913, PLR0917 - the parts of a tokenizer
    kind: str,
    vocabulary: bytes,
    options: NormalizationOptions,
    names: SpecialNames,
    added_tokens: Sequence[AddedToken],
    source: str,
    origins: Mapping[str, str],
) -> PieceTokenizer:
    encoder = restored_encoder(kind, vocabulary, options, names, added_tokens, source)
    return PieceTokenizer._of(encoder, source, origins)  # noqa: SLF001
