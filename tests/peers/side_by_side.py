"""The speed of the annotators, ours and the real Spark NLP's in turns: DocumentAssembler to Tokenizer.

Run in the environment of ``make test-peers``, so that both can start::

    .venv-peers/bin/python -m tests.peers.side_by_side TEXTS --python .venv/bin/python

TEXTS has one text a line; they are taken again and again up to ``--words``. Either side is a process of
its own: theirs this interpreter's, ours that of ``--python``, which may have a newer Spark. Both are warm
and idle before the first round; the rounds alternate.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.peers.compare import annotators
from tests.peers.real_session import peer_folder, start

_ROOT = Path(__file__).resolve().parents[2]
_SHORT_TEXT = "The quick brown fox jumps over the lazy dog. Dr. Wu's car cost $17,000."
_CALLS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts", type=Path, help="a file with one text a line")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs ours")
    parser.add_argument("--words", type=int, default=650_000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=["theirs", "ours"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _serve(options)
        return
    sides = {
        name: _Side([python, "-m", __spec__.name, *sys.argv[1:], "--side", name])
        for name, python in {"theirs": sys.executable, "ours": options.python}.items()
    }
    rounds = [{name: side.answer("measure") for name, side in sides.items()} for _ in range(options.rounds)]
    for name, side in sides.items():
        print(f"{name}: {side.banner}")
        for figure in rounds[0][name]:
            values = [one[name][figure] for one in rounds]
            print(f"  {figure:30} median {statistics.median(values):10,.2f}   {_listed(values)}")
        side.end()


class _Side:
    """A process that measures when told to."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=_ROOT,
        )
        self.banner = self.answer("warm up")

    def answer(self, request: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(("{", '"')):
                return json.loads(line)
        msg = f"{self._process.args!r} ended without an answer"
        raise RuntimeError(msg)

    def end(self) -> None:
        self._process.communicate(timeout=60)


def _serve(options: argparse.Namespace) -> None:
    home, spark = {"theirs": _theirs, "ours": _ours}[options.side](options.cores)
    texts, words = _texts(options.texts, options.words)
    frame = spark.createDataFrame([(text,) for text in texts], "text string").repartition(4 * options.cores).cache()
    frame.count()
    from pyspark.ml import Pipeline

    model = Pipeline(stages=annotators(home)).fit(frame)
    light = home.LightPipeline(model)

    def measure() -> dict[str, float]:
        seconds = _seconds(lambda: model.transform(frame).write.format("noop").mode("overwrite").save())
        annotate = statistics.median(_seconds(lambda: light.annotate(_SHORT_TEXT)) for _ in range(_CALLS))
        full = statistics.median(_seconds(lambda: light.fullAnnotate(_SHORT_TEXT)) for _ in range(_CALLS))
        return {
            "words/s": words / seconds,
            "annotate, ms": 1000 * annotate,
            "fullAnnotate, ms": 1000 * full,
        }

    for line in sys.stdin:
        if line.startswith("warm"):
            measure()
            banner = f"pyspark {spark.version}, local[{options.cores}], {len(texts):,} texts, {words:,} words"
            print(json.dumps(banner), flush=True)
        else:
            print(json.dumps(measure()), flush=True)
    spark.stop()


def _theirs(cores: int) -> tuple[SimpleNamespace, Any]:
    spark = start(peer_folder(), cores=cores, conf={"spark.driver.memory": "3g"})
    from sparknlp import annotator, base

    return SimpleNamespace(**{**vars(annotator), **vars(base)}), spark


def _ours(cores: int) -> tuple[Any, Any]:
    from sparkalbert import ml

    return ml, ml.start(f"local[{cores}]", {"spark.driver.memory": "3g"})


def _texts(path: Path, words: int) -> tuple[list[str], int]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    texts = []
    count = 0
    for line in cycle(lines):
        if count >= words:
            return texts, count
        texts.append(line)
        count += len(line.split())
    msg = f"{path} has no text"
    raise SystemExit(msg)


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _listed(values: list[float]) -> str:
    return " ".join(f"{value:,.2f}" for value in values)


if __name__ == "__main__":
    main()
