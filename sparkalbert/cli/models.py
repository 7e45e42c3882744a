"""The commands about models: convert, inspect, verify, models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from sparkalbert.bundle import Bundle, Precision
from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.cli.files import SAMPLE, read_lines
from sparkalbert.cli.screen import OUTPUT, pair_table, print_line, size_in_words
from sparkalbert.errors import ParamError
from sparkalbert.models import KNOWN_MODELS, cached_bundles, embedded_models, find_model
from sparkalbert.storage.homes import cache_home

if TYPE_CHECKING:
    from sparkalbert.convert.verify.closeness import Closeness

__all__ = ["convert", "inspect", "models", "verify"]


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="Hugging Face ALBERT folder: config.json, model.safetensors, spiece.model."),
    ],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to write.")],
    layout: Annotated[
        Literal["bundle", "spark-nlp"],
        typer.Option(
            help="bundle: the folder that sparkalbert runs. spark-nlp: the folder that Spark NLP's "
            "AlbertEmbeddings.loadSavedModel reads, with model.onnx and assets/."
        ),
    ] = "bundle",
    precision: Annotated[
        Precision,
        typer.Option(help="Number format. int8: a quarter of the size, faster on CPUs. fp16: half the size, for GPUs."),
    ] = "fp32",
    name: Annotated[str | None, typer.Option(help="Name of the model in a bundle. By default the name of SRC.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the result of an earlier conversion at DEST.")
    ] = False,
) -> None:
    """Convert a checkpoint into a bundle, or into a folder that Spark NLP imports. Does not require torch."""
    if layout == "spark-nlp":
        _export(source, target, precision, name, overwrite=overwrite)
        return
    from sparkalbert.convert import convert_checkpoint

    bundle = convert_checkpoint(source, target, precision=precision, name=name, overwrite=overwrite)
    OUTPUT.print(_summary(bundle))


def _export(source: Path, target: Path, precision: Precision, name: str | None, *, overwrite: bool) -> None:
    from sparkalbert.convert import export_spark_nlp

    if name is not None:
        msg = f"--name is {name!r}, but Spark NLP's layout does not store a name. Leave --name out."
        raise ParamError(msg)
    folder = export_spark_nlp(source, target, precision=precision, overwrite=overwrite).resolve()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {str(path.relative_to(folder)): size_in_words(path.stat().st_size) for path in files}
    OUTPUT.print(pair_table({"path": str(folder), "precision": precision, **sizes}))


def inspect(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle folder, or the name of a model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show the files of a bundle and where the model came from."""
    opened = find_model(bundle, allow_download=False)
    if as_json:
        OUTPUT.print_json(json.dumps(_description(opened)))
        return
    OUTPUT.print(_summary(opened), "", _file_table(opened), sep="\n")


def verify(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle folder, or the name of a model.")],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT", help="Compare with the weights of this checkpoint instead of the bundle's own."
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --against: compare the word vectors of this UTF-8 text, one text per line. By default a "
            "sample in this package.",
        ),
    ] = None,
) -> None:
    """Check the files of a bundle, and its numbers against an independent forward pass."""
    from sparkalbert.convert import verify_bundle

    if text is not None and against is None:
        msg = "--text is given without --against. Give the checkpoint whose word vectors are to be compared."
        raise ParamError(msg)
    texts = None if against is None else read_lines(text or SAMPLE)
    opened = find_model(bundle, allow_download=False)
    found = verify_bundle(opened, against=against, texts=texts)
    rows = {
        "bundle": f"{opened.manifest.name}, {found.precision}; all files are complete",
        "compared with": f"NumPy's forward pass over {found.against}, {found.pieces} pieces per layer",
        "largest error": f"{found.max_abs_error:.1e}, relative to its vector {max(found.relative_errors):.1e}",
        "by layer": ", ".join(f"{error:.1e}" for error in found.layer_errors),
        "cosine": f"{found.mean_cosine:.6f} on average, {found.worst_cosine:.6f} at worst",
    }
    if found.closeness is not None:
        rows |= _closeness_rows(found.closeness)
    OUTPUT.print(pair_table(rows))


def _closeness_rows(found: Closeness) -> dict[str, str]:
    return {
        f"{found.words} words of text": "cosine on average / at worst, by layer",
        **{f"  layer {layer.layer}": f"{layer.mean:.6f} / {layer.worst:.6f}" for layer in found.layers},
        "  neighbours": f"{found.same_nearest:.1%} of the words have the same nearest word, "
        f"{found.shared_of_ten:.1%} of the ten nearest are shared",
    }


def models() -> None:
    """List the models on this machine and the names of models that can be downloaded."""
    table = Table(box=None, pad_edge=False)
    for name in ("model", "precision", "dimension", "size", "where"):
        table.add_column(name, no_wrap=True)
    embedded = [find_model(name) for name in embedded_models()]
    for where, found in (("in this package", embedded), ("in the cache", cached_bundles())):
        for bundle in found:
            manifest = bundle.manifest
            size = size_in_words(manifest.size_bytes)
            table.add_row(manifest.name, manifest.precision, str(manifest.dimension), size, where)
    OUTPUT.print(table)
    OUTPUT.print(f"\nDownloaded from the Hugging Face Hub on first use: {', '.join(KNOWN_MODELS)}, or any")
    print_line("owner/name@revision of an ALBERT there.")
    print_line(f"The cache is {cache_home()}")


def _description(bundle: Bundle) -> dict[str, Any]:
    has_config = CONFIG_FILE in bundle.manifest.files
    return {
        "path": str(bundle.path.resolve()),
        "digest": bundle.digest,
        "manifest": asdict(bundle.manifest),
        "config": bundle.config.to_dict() if has_config else None,
    }


def _summary(bundle: Bundle) -> Table:
    manifest = bundle.manifest
    rows = {
        "name": manifest.name,
        "path": str(bundle.path.resolve()),
        "source": manifest.source,
        "revision": manifest.revision or "-",
        "weights": manifest.weights or "-",
        "precision": manifest.precision,
        "dimension": str(manifest.dimension),
        "layers": str(manifest.num_layers or "last only"),
        "longest input": f"{manifest.max_pieces} pieces",
        "size": size_in_words(manifest.size_bytes),
        "digest": bundle.digest,
        "written by": ", ".join(f"{library} {version}" for library, version in manifest.versions.items()),
    }
    if CONFIG_FILE in manifest.files:
        rows["config"] = ", ".join(f"{key} {value}" for key, value in bundle.config.to_dict().items())
    if manifest.note:
        rows["note"] = manifest.note
    return pair_table(rows)


def _file_table(bundle: Bundle) -> Table:
    table = Table("file", "size", box=None, pad_edge=False)
    table.add_column("sha256", overflow="fold")
    for name, record in bundle.manifest.files.items():
        table.add_row(name, size_in_words(record.size_bytes), record.sha256)
    return table
