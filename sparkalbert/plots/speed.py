"""Draws the steady throughput of each system that a benchmark measured, and the limit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sparkalbert.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sparkalbert.plots.canvas import Picture

__all__ = ["throughput"]

_COLOURS: Final = {"bare": "#9aa5b1", "product": "#d5dbe1", "embedder": "#7fb2d6", "pipeline": "#1f6fb2"}
_OTHER_COLOUR: Final = "#c9a66b"
_KEYS: Final = ("name", "title", "precision", "words_per_s", "of_limit")
"""What is drawn of a system, beside ``of_product``, which records of earlier versions lack."""


def throughput(record: Mapping[str, Any] | str | os.PathLike[str]) -> Picture:
    """Draw the words per second of each system against the limit, one panel per precision.

    Parameters
    ----------
    record
        The file that ``sparkalbert bench --json`` wrote, or its content.

    Raises
    ------
    InputError
        If the file cannot be read, is not such a file, or if no system in it was measured.
    """
    from sparkalbert.plots.canvas import Picture

    content = record if isinstance(record, Mapping) else _read(Path(record))
    try:
        ran = [
            {**{key: system[key] for key in _KEYS}, "of_product": system.get("of_product")}
            for system in content["systems"]
            if system["words_per_s"]
        ]
        machine = content["machine"]
        name, features = content["model"], machine["cpu_features"]
        cores = content.get("cores", machine["cores"])  # records of earlier versions name those of the machine only
    except (KeyError, TypeError) as error:
        msg = (
            "Expected a record of `sparkalbert bench --json`, found other or incomplete JSON "
            f"({type(error).__name__}: {error}). Run the benchmark again."
        )
        raise InputError(msg) from error
    if not ran:
        msg = "The record contains no system that was measured. Run `sparkalbert bench --json` again."
        raise InputError(msg)
    precisions = list(dict.fromkeys(system["precision"] for system in ran))
    panels = [[system for system in ran if system["precision"] == precision] for precision in precisions]
    heights = [len(panel) + 1 for panel in panels]
    figure = Picture(9, 0.45 * sum(heights) + 1.2)
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, precision, panel in zip(axes, precisions, panels, strict=True):
        _draw_panel(axis, precision, panel)
    axes[-1].set_xlabel("words per second in steady state (dashed: the limit, bare ONNX Runtime)")
    figure.suptitle(f"{name}; {cores} cores, {', '.join(features) or 'unknown features'}", fontsize=10, ha="center")
    return figure


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} cannot be read: {error}. Expected a file that `sparkalbert bench --json` wrote."
        raise InputError(msg) from error


def _draw_panel(axis: Axes, precision: str, systems: Sequence[Mapping[str, Any]]) -> None:
    speeds = [system["words_per_s"] for system in systems]
    colours = [_COLOURS.get(system["name"].partition("-")[0], _OTHER_COLOUR) for system in systems]
    bars = axis.barh([system["title"] for system in systems], speeds, color=colours)
    labels = [f"{speed:,.0f}  {_shares(system)}".rstrip() for speed, system in zip(speeds, systems, strict=True)]
    background = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axis.bar_label(bars, labels, padding=5, fontsize=8, bbox=background)
    limit = max((system["words_per_s"] for system in systems if system["name"].startswith("bare-")), default=None)
    if limit is not None:
        axis.axvline(limit, color="#444444", linestyle="--", linewidth=1, zorder=0)
    axis.set_xlim(0, 1.25 * max(speeds))
    axis.invert_yaxis()
    axis.set_title(precision, fontsize=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)


def _shares(system: Mapping[str, Any]) -> str:
    names = {"of_limit": "of limit", "of_product": "of product"}
    return ", ".join(f"{system[key]:.2f} {name}" for key, name in names.items() if system[key] is not None)
