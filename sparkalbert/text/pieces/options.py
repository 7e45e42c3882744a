"""Holds options of a tokenizer that the caller sets instead of leaving them to the model's files. Needs no NumPy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from sparkalbert.errors import ParamTypeError

__all__ = ["NOTHING_GIVEN", "PieceOptions"]


@dataclass(frozen=True)
class PieceOptions:
    """What the caller states about the normalization of a model that has to be converted, under Hugging Face's names.

    Parameters
    ----------
    do_lower_case
        True if the model was trained on lower-cased text.
    keep_accents
        True if it was trained on text with its accents.
    remove_space
        True to collapse and strip white space; SentencePiece vocabularies only.

    Raises
    ------
    ParamTypeError
        If a value is neither a boolean nor None, which leaves the option to the files.
    """

    do_lower_case: bool | None = None
    keep_accents: bool | None = None
    remove_space: bool | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not isinstance(value, bool):
                msg = f"{name} is {value!r}, expected True, False or None."
                raise ParamTypeError(msg)

    @property
    def stated(self) -> dict[str, bool]:
        """The options that are not None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def key(self) -> str:
        """The options as part of a file name; empty if none is stated.

        Examples
        --------
        >>> PieceOptions(do_lower_case=False, keep_accents=True).key
        '-do_lower_case=false-keep_accents=true'
        """
        return "".join(f"-{name}={str(value).lower()}" for name, value in self.stated.items())


NOTHING_GIVEN: Final = PieceOptions()
"""Leaves every option to the files."""
