"""A folder of downloads with one text or two of every source, at the paths of the real packages."""

import gzip
import json
from pathlib import Path

from conf.albert_mini_en.sources import SOURCES, WORD_LISTS

PROSE = "This is a sentence of {name} and long enough."
WORDNET = '00000001 00 n 01 bank 0 000 | land beside water; "he sat on the bank of a river"\n'
PATHS = {source.name: source.folder for source in SOURCES}


def write(folder: Path) -> Path:
    wordnet = PATHS["wordnet"](folder)
    wordnet.mkdir(parents=True)
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        (wordnet / name).write_text("  1 licence\n")
    (wordnet / "data.noun").write_text(WORDNET)
    for name in ("webster", "jargon", "devil"):
        ending = "\n   [1913 Webster]\n" if name == "webster" else ""
        write_file(PATHS[name](folder), gzip.compress((PROSE.format(name=name) + ending).encode()))
    for name in ("python", "postgresql"):
        write_file(PATHS[name](folder) / "deep/page.html", f"<p>{PROSE.format(name=name)}</p>".encode())
    for name in ("sotu", "moby-dick", "factbook"):
        page = json.dumps({"text": PROSE.format(name=name)})
        write_file(PATHS[name](folder) / "deep/1.json", page.encode())
    names = {"upper": (10, 35, 40, 50), "proper-names": (35, 40, 50)}
    for path in (f"english-{kind}.{level}" for kind, levels in names.items() for level in levels):
        write_file(WORD_LISTS.folder(folder) / path, b"")
    return folder


def write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
