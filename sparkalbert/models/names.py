"""Names of models: Spark NLP's, NLU's, Hugging Face's, and any repository on the Hub.

Nothing here reads a disk or uses a network.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sparkalbert.errors import ParamError

__all__ = ["COMMIT", "KNOWN_MODELS", "HubModel", "close_names", "hub_model", "slug"]

COMMIT: Final = re.compile(r"[0-9a-f]{40}")
"""The full hash of a commit, which always means the same contents."""

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_SIZES: Final = ("base", "large", "xlarge", "xxlarge")

_PINNED: Final[Mapping[str, str]] = {
    "albert/albert-base-v2": "8e2f239c5f8a2c0f253781ca60135db913e5c80c",
}
"""Commits that several independent public sources agree on (read in October 2026).

Every other known name is resolved when it is first used: the commit of ``main`` on that day is recorded in the
manifest and in the cache, and is used until another `revision` is requested.
"""


@dataclass(frozen=True)
class HubModel:
    """A model repository on the Hugging Face Hub.

    Attributes
    ----------
    name
        Name of the model, for the manifest.
    repository
        ``owner/name``.
    revision
        A commit, branch or tag.
    """

    name: str
    repository: str
    revision: str = "main"

    @property
    def commit(self) -> str | None:
        """The revision if it is a full commit hash, else None."""
        return self.revision if COMMIT.fullmatch(self.revision) else None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}"


def _known_models() -> dict[str, HubModel]:
    models = {}
    for version, suffix in (("v2", ""), ("v1", "_v1")):
        for size in _SIZES:
            repository = f"albert/albert-{size}-{version}"
            name = f"albert_{size}_uncased{suffix}"
            models[name] = HubModel(name, repository, _PINNED.get(repository, "main"))
    return models


KNOWN_MODELS: Final[Mapping[str, HubModel]] = _known_models()
"""Spark NLP's names (version 2 of the weights, as in its own uploads), and version 1 with ``_v1``."""


def _aliases() -> dict[str, str]:
    aliases = {"en.embed.albert": "albert_base_uncased"}
    for name, model in KNOWN_MODELS.items():
        aliases[model.repository] = name
        aliases[model.repository.partition("/")[2]] = name  # the Hub's own name for it until 2024
        if not name.endswith("_v1"):
            aliases[f"en.embed.albert.{name.removeprefix('albert_')}"] = name  # NLU
    return aliases


_ALIASES: Final[Mapping[str, str]] = _aliases()


def hub_model(text: str, revision: str | None = None) -> HubModel | None:
    """Return the repository that a name stands for, or None if it is not the name of a repository.

    Parameters
    ----------
    text
        A known name, one of its aliases, or ``owner/name``; each may end in ``@revision``.
    revision
        A commit, branch or tag that replaces the pinned one.

    Raises
    ------
    ParamError
        If two different revisions are given, or an invalid one.

    Examples
    --------
    >>> hub_model("albert_xlarge_uncased").repository
    'albert/albert-xlarge-v2'
    >>> hub_model("en.embed.albert.xxlarge_uncased").name
    'albert_xxlarge_uncased'
    >>> str(hub_model("someone/their-albert@v3"))
    'someone/their-albert@v3'
    >>> hub_model("albert_huge_uncased") is None
    True
    """
    name, separator, within = text.partition("@")
    model = KNOWN_MODELS.get(_ALIASES.get(name, name))
    if model is None and _REPOSITORY.fullmatch(name):
        model = HubModel(name, name)
    if model is None:
        return None
    if separator and revision is not None and within != revision:
        msg = f"Model {text!r} names a revision, and revision is {revision!r}. Give only one of them."
        raise ParamError(msg)
    chosen = within if separator else revision
    if chosen is None:
        return model
    if not _REVISION.fullmatch(chosen) or ".." in chosen:
        msg = f"revision is {chosen!r}, expected a commit, a branch or a tag of {model.repository}."
        raise ParamError(msg)
    return replace(model, revision=chosen)


def close_names(text: str, names: Iterable[str]) -> list[str]:
    """Return known names that look like `text`, best first.

    Examples
    --------
    >>> close_names("albert_xlarge_uncase", KNOWN_MODELS)[0]
    'albert_xlarge_uncased'
    """
    return difflib.get_close_matches(text.lower(), [*names, *_ALIASES], n=3, cutoff=0.7)


def slug(text: str) -> str:
    """Return `text` as part of a file name.

    Examples
    --------
    >>> slug("someone/their albert")
    'someone--their_albert'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", text.replace("/", "--")).strip(".") or "model"
