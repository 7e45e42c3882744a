"""Prints notebooks/models.md: ``python -m tests.models_page > notebooks/models.md``."""

from sparkalbert.cli.screen import size_in_words
from sparkalbert.models.names import KNOWN_MODELS, KnownModel
from sparkalbert.models.sizes import megaflop_per_piece, weight_bytes, worker_bytes

_TEXT = """\
# Models

Every name of [`names.csv`](../sparkalbert/models/names.csv), which sparkalbert downloads and converts on first use: the
ALBERTs that Spark NLP and NLU list, from their original repositories. Any other `owner/name@revision` on the Hugging
Face Hub that holds an ALBERT works as well, and `albert_mini_en` is part of the package, see its
[model card](../sparkalbert/models/albert_mini_en/MODEL_CARD.md).

This page is computed from the shapes in that file (`python -m tests.models_page`); `sparkalbert models --all` prints
most of it.

| column | meaning |
|---|---|
| dim | numbers in a vector |
| fp32, fp16, int8 | size of the weights on disk; for int8 a lower bound |
| worker | memory of one Python worker by default, in fp32 and int8, to 10 MB; [tuning](tuning.md#memory) bounds it |
| work | millions of multiplications and additions per piece, without attention between pieces |
| licence | of the weights; `none stated` if the repository states none, `unknown` if its page was not found |

A token has one or more pieces; `sparkalbert plan` counts the pieces of your texts.

{table}

A `?` stands for a shape that was not found in public sources: {unknown} of the {count} names. `sparkalbert inspect
NAME` reads the configuration on the Hub, without the weights, and prints dimension, sizes and work; `sparkalbert plan`
prints the memory of a worker.
"""
_COLUMNS = ("name", "lang", "dim", "fp32", "fp16", "int8", "worker", "work", "licence")
_SHAPE_COLUMNS = 6


def page() -> str:
    """Return the text of the page."""
    lines = [_row(_COLUMNS), "|---" * len(_COLUMNS) + "|"]
    lines += [_row((f"`{name}`", *_cells(known))) for name, known in KNOWN_MODELS.items()]
    unknown = sum(known.config is None for known in KNOWN_MODELS.values())
    return _TEXT.format(table="\n".join(lines), unknown=unknown, count=len(KNOWN_MODELS))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(known: KnownModel) -> tuple[str, ...]:
    config, shape = known.config, ("?",) * _SHAPE_COLUMNS
    if config is not None:
        sizes = (size_in_words(weight_bytes(config, precision)) for precision in ("fp32", "fp16", "int8"))
        fp32, int8 = (f"{round(worker_bytes(config, precision) / 1e6, -1):,.0f}" for precision in ("fp32", "int8"))
        shape = (str(config.hidden_size), *sizes, f"{fp32} / {int8} MB", f"{megaflop_per_piece(config):,.0f}")
    return (known.language, *shape, known.licence)


if __name__ == "__main__":
    print(page(), end="")
