"""The process a contender lives in: it is told what to do in lines of JSON, and answers in lines of JSON.

Nothing is imported but what the contender needs, so that Spark NLP's environment need not have ours. The
clock is read here, around :meth:`embed` alone, the same for every contender.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, Final

from sparkalbert.bench.contender import Contender
from sparkalbert.bench.machine import memory_peaks
from sparkalbert.errors import MissingDependencyError

__all__ = ["make", "serve"]


def make(kind: str, arguments: Mapping[str, Any]) -> Contender:
    """Return a contender by its kind.

    Raises
    ------
    MissingDependencyError
        When this environment lacks what it needs.
    """
    return _KINDS[kind](**arguments)


def _bare(**arguments: Any) -> Contender:
    from sparkalbert.bench.bare import BareContender

    return BareContender(**arguments)


def _embedder(**arguments: Any) -> Contender:
    from sparkalbert.bench.embedder import EmbedderContender

    return EmbedderContender(**arguments)


def _pipeline(**arguments: Any) -> Contender:
    from sparkalbert.ml.bench.pipeline import PipelineContender

    return PipelineContender(**arguments)


def _naive_udf(**arguments: Any) -> Contender:
    from sparkalbert.ml.bench.naive_udf import NaiveUdfContender

    return NaiveUdfContender(**arguments)


def _spark_nlp(**arguments: Any) -> Contender:
    from sparkalbert.ml.bench.spark_nlp import SparkNlpContender

    return SparkNlpContender(**arguments)


_KINDS: Final[Mapping[str, Callable[..., Contender]]] = {
    "bare": _bare,
    "embedder": _embedder,
    "naive_udf": _naive_udf,
    "pipeline": _pipeline,
    "spark_nlp": _spark_nlp,
}


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more.

    Parameters
    ----------
    requests
        Lines ``{"do": "prepare", "name", "kind", "arguments"}`` and ``{"do": "run", "name"}``.
    answers
        Takes a line for each.
    """
    contenders: dict[str, Contender] = {}
    for line in requests:
        request = json.loads(line)
        try:
            answer = _answer(request, contenders)
        except MissingDependencyError as error:
            answer = {"skipped": str(error)}
        except Exception as error:  # noqa: BLE001 - the parent tells a person
            answer = {"failed": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(request: Mapping[str, Any], contenders: dict[str, Contender]) -> dict[str, Any]:
    name = request["name"]
    if request["do"] == "prepare":
        contender = contenders[name] = make(request["kind"], request["arguments"])
        return {**contender.load(), "warm_up_vectors": contender.warm_up()}
    contender = contenders[name]
    contender.warm_up()
    started_s = time.perf_counter()
    contender.embed()
    seconds = time.perf_counter() - started_s
    return {"seconds": seconds, "memory": memory_peaks(), "facts": dict(contender.facts())}


def _main() -> None:
    """Keep the real standard output for answers: Spark and its children print where they like."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    _main()
