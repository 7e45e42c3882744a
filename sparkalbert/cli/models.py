"""The commands about models: convert, inspect, verify, models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer
from rich.table import Table

from sparkalbert.bundle import Bundle, Precision
from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.bundle.manifest import TokenizerRecord
from sparkalbert.cli.files import SAMPLE, read_lines, reported_on_interrupt
from sparkalbert.cli.screen import (
    pair_table,
    print_json,
    print_line,
    print_tables,
    print_wide,
    shown_count,
    shown_steps,
    size_in_words,
)
from sparkalbert.config import AlbertConfig
from sparkalbert.errors import ParamError
from sparkalbert.models import KNOWN_MODELS, cached_bundles, embedded_models, find_model
from sparkalbert.models.sizes import megaflop_per_piece, weight_bytes, worker_bytes
from sparkalbert.storage.homes import cache_home
from sparkalbert.text.pieces.options import PieceOptions

if TYPE_CHECKING:
    from sparkalbert.convert.conversion import Report
    from sparkalbert.convert.verify.closeness import Closeness
    from sparkalbert.models import Inspection

__all__ = ["convert", "inspect", "models", "verify"]


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="Hugging Face ALBERT folder: config.json, weights, vocabulary."),
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
        typer.Option(
            help="Number format. int8: a quarter of the layers' size, faster on CPUs. fp16: half the size, for GPUs."
        ),
    ] = "fp32",
    name: Annotated[str | None, typer.Option(help="Name of the model in a bundle. By default the name of SRC.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the result of an earlier conversion at DEST.")
    ] = False,
    do_lower_case: Annotated[
        bool | None,
        typer.Option(help="If true, the model was trained on lower-cased text. By default its files decide."),
    ] = None,
    keep_accents: Annotated[
        bool | None,
        typer.Option(help="If true, the model was trained on text with its accents. By default its files decide."),
    ] = None,
    remove_space: Annotated[
        bool | None, typer.Option(help="If true, the tokenizer collapses white space. By default its files decide.")
    ] = None,
) -> None:
    """Convert a checkpoint into a bundle, or into a folder that Spark NLP imports. Does not require torch."""
    options = PieceOptions(do_lower_case, keep_accents, remove_space)
    if layout == "spark-nlp":
        _export(source, target, precision, name, options, overwrite=overwrite)
        return
    from sparkalbert.convert import convert_checkpoint

    with reported_on_interrupt(str(target)), _shown_conversion(source, precision) as report:
        bundle = convert_checkpoint(
            source,
            target,
            precision=precision,
            name=name,
            overwrite=overwrite,
            do_lower_case=do_lower_case,
            keep_accents=keep_accents,
            remove_space=remove_space,
            report=report,
        )
    print_tables(_summary(bundle))


def _export(
    source: Path, target: Path, precision: Precision, name: str | None, options: PieceOptions, *, overwrite: bool
) -> None:
    from sparkalbert.convert import export_spark_nlp

    if name is not None:
        msg = f"--name is {name!r}, but Spark NLP's layout does not store a name. Leave --name out."
        raise ParamError(msg)
    with reported_on_interrupt(str(target)), _shown_conversion(source, precision) as report:
        folder = export_spark_nlp(
            source, target, precision=precision, overwrite=overwrite, report=report, **options.stated
        ).resolve()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {str(path.relative_to(folder)): size_in_words(path.stat().st_size) for path in files}
    print_tables(pair_table({"path": str(folder), "precision": precision, **sizes}))


@contextmanager
def _shown_conversion(source: Path, precision: Precision) -> Iterator[Report]:
    """Yield a function that shows how much of a checkpoint is converted, and how fast."""
    with shown_steps(f"Checking {source}", in_logs=False) as show:
        started_s = time.perf_counter()

        def report(done: int, total: int) -> None:
            rate = done / 1e6 / (time.perf_counter() - started_s)
            show(f"Converting {source} to {precision}, {rate:.1f} million numbers/s", done, total)

        yield report


def inspect(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A folder, the name of a model, or owner/name@revision on the Hub.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show a model, or what loading it would do: which files are used, with which options, and what is missing.

    No weights are downloaded; the files of a bundle are compared with their checksums. The exit code is 1 if the model
    cannot be loaded.
    """
    from sparkalbert.models import inspect_model  # loads NumPy, which other commands do not need

    found = inspect_model(model)
    if not isinstance(found, Bundle):
        _show_inspection(found, as_json=as_json)
        return
    found.verify()
    if as_json:
        print_json(_description(found))
    else:
        print_tables(_summary(found), _file_table(found))


def _show_inspection(found: Inspection, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
    else:
        print_tables(_inspection_summary(found), _use_table(found))
    if found.contents.problems:
        raise typer.Exit(1)


def _inspection_summary(found: Inspection) -> Table:
    contents, config = found.contents, found.contents.config
    rows = {"source": found.source}
    if not found.is_local:
        rows |= {"commit": found.commit or "-", "licence": found.licence or "none stated"}
        rows["download"] = size_in_words(found.used_bytes)
    if config is not None:
        rows |= {
            "dimension": str(config.hidden_size),
            "layers": str(config.num_hidden_layers),
            "longest input": f"{config.max_position_embeddings} pieces",
            "vocabulary": f"{config.vocab_size:,} pieces",
            "activation": config.hidden_act,
            "weights": ", ".join(f"{size} in {precision}" for precision, size in _sizes(config).items()),
            "work": f"{megaflop_per_piece(config):,.0f} MFLOP per piece",
        }
    for name, (value, source) in contents.options.items():
        rows[name] = f"{str(value).lower()} ({source})"
    if contents.warnings:
        rows["probably wrong"] = "\n".join(f"- {warning}" for warning in contents.warnings)
    problems = [f"- {problem}" for problem in contents.problems]
    rows["missing or wrong"] = "\n".join(problems) or "nothing known before the weights are read"
    if found.mends:
        rows["instead"] = "\n".join(found.mends)
    return pair_table(rows)


def _use_table(found: Inspection) -> Table:
    table = Table("file", "size", "used for", box=None, pad_edge=False)
    for name, use in found.contents.uses.items():
        table.add_row(name, size_in_words(found.sizes[name]), use)
    for name, size in found.ignored.items():
        table.add_row(name, size_in_words(size), "ignored")
    return table


def _sizes(config: AlbertConfig) -> dict[Precision, str]:
    return {precision: size_in_words(weight_bytes(config, precision)) for precision in get_args(Precision)}


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
    with shown_count("Verifying", "vectors") as show:
        found = verify_bundle(opened, against=against, texts=texts, report=show)
    rows = {
        "bundle": f"{opened.manifest.name}, {found.precision}; all files are complete",
        "compared with": f"NumPy's forward pass over {found.against}, {found.pieces} pieces per layer",
        "largest error": f"{found.max_abs_error:.1e}, relative to its vector {max(found.relative_errors):.1e}",
        "by layer": ", ".join(f"{error:.1e}" for error in found.layer_errors),
        "cosine": f"{found.mean_cosine:.6f} on average, {found.worst_cosine:.6f} at worst",
    }
    if found.closeness is not None:
        rows |= _closeness_rows(found.closeness)
    print_tables(pair_table(rows))


def _closeness_rows(found: Closeness) -> dict[str, str]:
    return {
        f"{found.words} words of text": "cosine on average / at worst, by layer",
        **{f"  layer {layer.layer}": f"{layer.mean:.6f} / {layer.worst:.6f}" for layer in found.layers},
        "  neighbours": f"{found.same_nearest:.1%} of the words have the same nearest word, "
        f"{found.shared_of_ten:.1%} of the ten nearest are shared",
    }


def models(
    all_names: Annotated[
        bool, typer.Option("--all", help="List every known name with its repository, size, memory and work instead.")
    ] = False,
) -> None:
    """List the models on this machine and the names of models that can be downloaded."""
    if all_names:
        print_wide(_name_table())
        return
    table = Table(box=None, pad_edge=False)
    for name in ("model", "precision", "dimension", "size", "where"):
        table.add_column(name, no_wrap=True)
    embedded = [find_model(name) for name in embedded_models()]
    for where, found in (("in this package", embedded), ("in the cache", cached_bundles())):
        for bundle in found:
            manifest = bundle.manifest
            size = size_in_words(manifest.size_bytes)
            table.add_row(manifest.name, manifest.precision, str(manifest.dimension), size, where)
    print_tables(table)
    first = ", ".join(list(KNOWN_MODELS)[:4])
    print_line(f"\nDownloaded from the Hugging Face Hub on first use: {first},")
    print_line(f"{len(KNOWN_MODELS) - 4} more that --all lists, or any owner/name@revision of an ALBERT there.")
    print_line(f"The cache is {cache_home()}")


def _name_table() -> Table:
    """Return the known names; a dash stands for a shape that only `inspect`, which reads the Hub, can find out."""
    precisions = get_args(Precision)
    table = Table(box=None, pad_edge=False)
    for name in ("name", "lang", "dimension", *precisions, "worker (fp32)", "MFLOP/piece", "licence", "repository"):
        table.add_column(name, no_wrap=True)
    for name, known in KNOWN_MODELS.items():
        config = known.config
        shape = ["-"] * (3 + len(precisions))
        if config is not None:
            memory, work = (
                f"{round(worker_bytes(config, 'fp32') / 1e6, -1):,.0f} MB",
                f"{megaflop_per_piece(config):,.0f}",
            )
            shape = [str(config.hidden_size), *_sizes(config).values(), memory, work]
        table.add_row(name, known.language, *shape, known.licence, known.hub.repository)
    return table


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
        "tokenizer": _tokenizer(manifest.tokenizer),
        "size": size_in_words(manifest.size_bytes),
        "digest": bundle.digest,
        "written by": ", ".join(f"{library} {version}" for library, version in manifest.versions.items()),
    }
    if CONFIG_FILE in manifest.files:
        rows["config"] = ", ".join(f"{key} {value}" for key, value in bundle.config.to_dict().items())
    if manifest.note:
        rows["note"] = manifest.note
    return pair_table(rows)


def _tokenizer(record: TokenizerRecord | None) -> str:
    if record is None:
        return "sentencepiece"
    options = [
        f"{name} {str(value).lower()} ({record.origins.get(name, 'bundle')})" for name, value in record.options.items()
    ]
    return f"{record.kind}, from {record.source}; {', '.join(options)}"


def _file_table(bundle: Bundle) -> Table:
    table = Table("file", "size", box=None, pad_edge=False)
    table.add_column("sha256", overflow="fold")
    for name, record in bundle.manifest.files.items():
        table.add_row(name, size_in_words(record.size_bytes), record.sha256)
    return table
