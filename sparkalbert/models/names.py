"""Maps the names of models (Spark NLP's, NLU's, Hugging Face's) to repositories on the Hub.

The table is ``names.csv`` beside this file: a row for each ALBERT that Spark NLP lists, with the repository that its
model card names as the origin. Only what was read in public sources is in it (November 2026): Spark NLP's cards
(``docs/_posts``, for name, language and repository), NLU 5.4.1 (``spellbook.py``, for its names), and the pages of the
repositories (for licence and shape). An empty shape was not found; a licence is ``none stated`` if the repository's
page states none, ``unknown`` if the page was not found. Nothing here uses a network.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

from sparkalbert.config import AlbertConfig
from sparkalbert.errors import ModelNotFoundError, ParamError

__all__ = [
    "COMMIT",
    "KNOWN_MODELS",
    "HubModel",
    "KnownModel",
    "check_known_language",
    "close_names",
    "hub_model",
    "known_model",
    "slug",
]

COMMIT: Final = re.compile(r"[0-9a-f]{40}")
"""The full hash of a commit, which always means the same contents."""

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_TABLE: Final = "names.csv"
_GOOGLE: Final = "albert/"


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


@dataclass(frozen=True)
class KnownModel:
    """A row of the table.

    Attributes
    ----------
    hub
        The repository. Its revision is a commit if several independent public sources agree on one; otherwise it is
        resolved when it is first used: the commit of ``main`` on that day is recorded in the manifest and in the
        cache, and is used until another revision is requested.
    language
        Spark NLP's language code; ``xx`` means several.
    licence
        The licence of the weights.
    config
        Shape of the model, None if it is not known.
    other_names
        NLU's names, and other names of Spark NLP for the same repository.
    """

    hub: HubModel
    language: str
    licence: str
    config: AlbertConfig | None
    other_names: tuple[str, ...]


def _known_models() -> dict[str, KnownModel]:
    text = (resources.files("sparkalbert.models") / _TABLE).read_text(encoding="utf-8")
    return {row["name"]: _known_model(row) for row in csv.DictReader(text.splitlines())}


def _known_model(row: Mapping[str, str]) -> KnownModel:
    hub = HubModel(row["name"], row["repository"], row["commit"] or "main")
    config = _config(row) if row["layers"] else None
    return KnownModel(hub, row["lang"], row["licence"], config, tuple(row["other_names"].split()))


def _config(row: Mapping[str, str]) -> AlbertConfig:
    """Return the shape of a row: every ALBERT in the table has four times its width in the feed-forward layer."""
    hidden = int(row["hidden_size"])
    return AlbertConfig(
        vocab_size=int(row["vocab_size"]),
        hidden_size=hidden,
        num_hidden_layers=int(row["layers"]),
        num_attention_heads=int(row["heads"]),
        intermediate_size=4 * hidden,
    )


KNOWN_MODELS: Final[Mapping[str, KnownModel]] = _known_models()
"""Spark NLP's names, and version 1 of Google's weights with ``_v1``."""


def _aliases() -> dict[str, str]:
    aliases = {}
    for name, known in KNOWN_MODELS.items():
        aliases.update(dict.fromkeys((*known.other_names, known.hub.repository), name))
        if known.hub.repository.startswith(_GOOGLE):
            aliases[known.hub.repository.removeprefix(_GOOGLE)] = name  # the Hub's own name for it until 2024
    return aliases


_ALIASES: Final[Mapping[str, str]] = _aliases()


def known_model(text: str) -> KnownModel | None:
    """Return the row of the table that a name means, or None; the name may end in ``@revision``.

    Examples
    --------
    >>> known_model("xx.embed.albert.indic").hub.repository
    'ai4bharat/indic-bert'
    """
    name = text.partition("@")[0]
    return KNOWN_MODELS.get(_ALIASES.get(name, name))


def check_known_language(text: str, language: str) -> None:
    """Check that a name is listed for a language; names that are not in the table may be of any language.

    Raises
    ------
    ModelNotFoundError
        If the name is that of a model of another language; the message lists the names of the requested one.

    Examples
    --------
    >>> check_known_language("albert_embeddings_fralbert_base", "fr")
    """
    known = known_model(text)
    if known is None or known.language == language:
        return
    others = [name for name, other in KNOWN_MODELS.items() if other.language == language]
    names = f" The names for {language!r} are {', '.join(others)}." if others else ""
    msg = (
        f"There is no model {text!r} for lang {language!r}: it is listed for {known.language!r}. Pass lang="
        f"{known.language!r} or leave lang out.{names}"
    )
    raise ModelNotFoundError(msg)


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
    known = known_model(name)
    if known is None and not _REPOSITORY.fullmatch(name):
        return None
    model = HubModel(name, name) if known is None else known.hub
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
    candidates = {name.lower(): name for name in (*_ALIASES, *names)}
    return [candidates[found] for found in difflib.get_close_matches(text.lower(), candidates, n=3, cutoff=0.7)]


def slug(text: str) -> str:
    """Return `text` as part of a file name.

    Examples
    --------
    >>> slug("someone/their albert")
    'someone--their_albert'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", text.replace("/", "--")).strip(".") or "model"
