"""The commands about models: convert, inspect, verify, models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from sparkalbert.bundle import KNOWN_MODELS, Bundle, cache_home, cached_bundles, embedded_models, find_model
from sparkalbert.bundle.conversion import converter
from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.cli.sample import SAMPLE
from sparkalbert.cli.screen import OUTPUT, size_in_words
from sparkalbert.errors import ParamError

if TYPE_CHECKING:
    from sparkalbert.convert.closeness import Closeness

__all__ = ["Precision", "convert", "inspect", "models", "verify"]

Precision = Literal["fp32", "int8", "fp16"]
Layout = Literal["bundle", "spark-nlp"]


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC", help="Hugging Face ALBERT folder: config.json, model.safetensors, spiece.model."
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make.")],
    layout: Annotated[
        Layout,
        typer.Option(
            help="bundle: what sparkalbert runs. spark-nlp: what Spark NLP's AlbertEmbeddings.loadSavedModel "
            "takes, model.onnx and assets/."
        ),
    ] = "bundle",
    precision: Annotated[
        Precision,
        typer.Option(help="int8: a quarter of the size, faster on CPUs. fp16: half the size, for GPUs."),
    ] = "fp32",
    name: Annotated[
        str | None, typer.Option(help="Name of the model in a bundle; SRC's name by default.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier conversion made at DEST.")
    ] = False,
) -> None:
    """Convert a checkpoint into a bundle, or into what Spark NLP imports, without torch."""
    if layout == "spark-nlp":
        _export(source, target, precision, name, overwrite=overwrite)
        return
    bundle = converter("checkpoint")(source, target, precision=precision, name=name, overwrite=overwrite)
    OUTPUT.print(_summary(bundle))


def _export(source: Path, target: Path, precision: Precision, name: str | None, *, overwrite: bool) -> None:
    from sparkalbert.convert import export_spark_nlp

    if name is not None:
        msg = f"--name is {name!r}, but Spark NLP's layout has no place for a name; leave it out."
        raise ParamError(msg)
    folder = export_spark_nlp(source, target, precision=precision, overwrite=overwrite).resolve()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = {str(path.relative_to(folder)): size_in_words(path.stat().st_size) for path in files}
    OUTPUT.print(_pairs({"path": str(folder), "precision": precision, **rows}))


def inspect(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle folder, or the name of a model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what a bundle holds and where it came from."""
    opened = find_model(bundle, allow_download=False)
    if as_json:
        OUTPUT.print_json(json.dumps(_described(opened)))
        return
    OUTPUT.print(_summary(opened), "", _file_table(opened), sep="\n")


def verify(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle folder, or the name of a model.")],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT", help="Compare with this checkpoint's weights, not the bundle's own."
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --against: compare the word vectors of this text too; a packaged sample by default.",
        ),
    ] = None,
) -> None:
    """Check a bundle's files, and its numbers against an independent forward pass."""
    from sparkalbert.convert import verify_bundle

    opened = find_model(bundle, allow_download=False)
    texts = None
    if against is not None:
        texts = (text or SAMPLE).read_text(encoding="utf-8").splitlines()
    found = verify_bundle(opened, against=against, texts=texts)
    per_layer = ", ".join(f"{error:.1e}" for error in found.layer_errors)
    rows = {
        "bundle": f"{opened.manifest.name}, {found.precision}; all files are whole",
        "compared with": f"NumPy's forward pass over {found.against}, {found.pieces} pieces a layer",
        "largest error": f"{found.max_abs_error:.1e}",
        "by layer": per_layer,
        "cosine": f"{found.mean_cosine:.6f} on average, {found.worst_cosine:.6f} at worst",
    }
    if found.closeness is not None:
        rows |= _closeness_rows(found.closeness)
    OUTPUT.print(_pairs(rows))


def _closeness_rows(found: Closeness) -> dict[str, str]:
    return {
        f"{found.words} words of text": "cosine on average / at worst, by depth",
        **{f"  layer {one.layer}": f"{one.mean:.6f} / {one.worst:.6f}" for one in found.layers},
        "  neighbours": f"the nearest word is the same for {found.same_nearest:.1%} of them; "
        f"of the ten nearest {found.shared_of_ten:.1%} are",
    }


def models() -> None:
    """List the models that are here and the names that can be fetched."""
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
    OUTPUT.print(f"\nFetched from the Hugging Face Hub when first used: {', '.join(KNOWN_MODELS)}, or any")
    OUTPUT.print("owner/name@revision of an ALBERT there.", highlight=False)
    OUTPUT.print(f"The cache is {cache_home()}", highlight=False, soft_wrap=True)


def _described(bundle: Bundle) -> dict[str, Any]:
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
    return _pairs(rows)


def _pairs(rows: Mapping[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _file_table(bundle: Bundle) -> Table:
    table = Table("file", "size", box=None, pad_edge=False)
    table.add_column("sha256", overflow="fold")
    for name, record in bundle.manifest.files.items():
        table.add_row(name, size_in_words(record.size_bytes), record.sha256)
    return table
