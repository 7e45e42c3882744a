"""Records the matches that java.util.regex of Java 17 finds: python -m tests.recorded.record_java_regex

It needs Java 17 on the path and pyspark, whose gateway it uses, and runs from the project's root. See README.md for the
file that it writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import launch_gateway

from tests.recorded.java_patterns import patterns_and_texts

PATH = Path(__file__).with_name("java_regex.jsonl")


def main() -> None:
    """Write java_regex.jsonl."""
    java = launch_gateway().jvm.java
    version = java.lang.System.getProperty("java.version")
    assert version.startswith("17."), f"Expected Java 17, found {version}."
    with PATH.open("w", encoding="utf-8") as lines:
        for pattern, texts in patterns_and_texts():
            try:
                compiled = java.util.regex.Pattern.compile(pattern)
                result = {"matches": [[text, _matches(compiled, text)] for text in texts]}
            except Py4JJavaError as error:
                result = {"error": error.java_exception.getDescription()}
            row = {"pattern": pattern, **result}
            lines.write(f"{json.dumps(row, ensure_ascii=False, separators=(',', ':'))}\n")


def _matches(pattern: Any, text: str) -> list[list[list[int]]]:
    """Return [start, stop] of each match and of its groups in UTF-16 units; [-1, -1] for a group that is not in it."""
    matcher = pattern.matcher(text)
    found = []
    while matcher.find():
        found.append([[matcher.start(group), matcher.end(group)] for group in range(matcher.groupCount() + 1)])
    return found


if __name__ == "__main__":
    sys.exit(main())
