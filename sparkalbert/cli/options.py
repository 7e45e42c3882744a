"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import typer

from sparkalbert.bundle import Precision

__all__ = ["FILES", "MODEL", "Encoding", "Format", "Input", "Model", "ModelPrecision", "Separator", "TextColumn"]

FILES: Final = "Input and output"
MODEL: Final = "Model and vectors"

Input = Annotated[str, typer.Argument(metavar="INPUT", help="A file, a folder or a pattern, as Spark reads it.")]
TextColumn = Annotated[str, typer.Option(help="Column with the texts.", rich_help_panel=FILES)]
Format = Annotated[
    Literal["text", "csv", "tsv", "json", "parquet"] | None,
    typer.Option("--format", help="Format of INPUT. By default its name extension decides.", rich_help_panel=FILES),
]
Separator = Annotated[
    str | None,
    typer.Option(help="Separator of the columns of csv and tsv. By default a comma and a tab.", rich_help_panel=FILES),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="Character encoding of INPUT, such as ISO-8859-1 or windows-1252. By default UTF-8.",
        rich_help_panel=FILES,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="A model folder, or a name that `sparkalbert models` lists.", rich_help_panel=MODEL
    ),
]
ModelPrecision = Annotated[
    Precision | None,
    typer.Option(
        help="Number format of a model that has to be converted, fp32 by default. A bundle keeps its own.",
        rich_help_panel=MODEL,
    ),
]
