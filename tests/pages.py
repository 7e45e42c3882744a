"""The README and the pages beside the notebooks, and the code in them."""

import re
from pathlib import Path

__all__ = ["PAGES", "README", "ROOT", "blocks", "shell_lines"]

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "notebooks").glob("*.md"))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def shell_lines(page):
    return [line for line in "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines() if line]
