"""The names of a vocabulary's special tokens, and tokens that were added to it after it was trained. Needs no NumPy.

The model's own special tokens are not found in a text: a text that spells ``[CLS]`` or ``<pad>`` does not get their
ids. Only a SentencePiece vocabulary that was trained with such a token as a user-defined symbol, not as a control
symbol, finds it in every text, in Google's code, in transformers and in Spark NLP as well. Every other added token is
found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeGuard

__all__ = ["MAX_TOKENS", "AddedToken", "SpecialNames", "is_token_id"]

MAX_TOKENS: Final = 2_000_000
"""Largest number of pieces and added tokens that is read: ten times the largest vocabulary of an ALBERT."""


def is_token_id(value: Any) -> TypeGuard[int]:
    """Return whether a value of a JSON file can be the id of a token: an integer from 0 to `MAX_TOKENS` - 1."""
    return type(value) is int and 0 <= value < MAX_TOKENS


@dataclass(frozen=True)
class SpecialNames:
    """How a vocabulary spells its special tokens; the defaults are those of ``transformers.AlbertTokenizer``."""

    cls_token: str = "[CLS]"  # noqa: S105
    sep_token: str = "[SEP]"  # noqa: S105
    pad_token: str = "<pad>"  # noqa: S105
    unk_token: str = "<unk>"  # noqa: S105
    mask_token: str = "[MASK]"  # noqa: S105
    bos_token: str = "[CLS]"  # noqa: S105
    eos_token: str = "[SEP]"  # noqa: S105
    additional_special_tokens: tuple[str, ...] = ()

    def all(self) -> frozenset[str]:
        """Return every name except the additional special tokens, which are found in texts."""
        return frozenset(asdict(self).values()) - {self.additional_special_tokens}


@dataclass(frozen=True)
class AddedToken:
    """A token that is found in the raw text; the flags are those of Hugging Face's ``AddedToken``."""

    content: str
    id: int
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = True
    special: bool = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], token_id: int) -> AddedToken:
        """Read an entry of ``added_tokens_decoder`` or of the ``added_tokens`` of a ``tokenizer.json``."""
        known = {field.name for field in fields(cls)} - {"id"}
        return cls(**{name: value for name, value in values.items() if name in known}, id=token_id)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``added_tokens_decoder``."""
        values = asdict(self)
        del values["id"]
        return values
