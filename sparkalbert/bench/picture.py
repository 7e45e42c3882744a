"""A picture of a run: the throughput of each system and the limit, one panel per precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

__all__ = ["draw"]

_COLORS: Final = {"bare": "#9aa5b1", "embedder": "#7fb2d6", "pipeline": "#1f6fb2"}
_OTHER_COLOR: Final = "#c9a66b"


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Draw a record as a PNG file.

    Parameters
    ----------
    record
        See :func:`sparkalbert.bench.record.whole_record`.
    path
        The file to write.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    ran = [system for system in record["systems"] if system["words_per_s"]]
    precisions = list(dict.fromkeys(system["precision"] for system in ran))
    panels = [[system for system in ran if system["precision"] == precision] for precision in precisions]
    heights = [len(panel) + 1 for panel in panels]
    figure = Figure(figsize=(9, 0.45 * sum(heights) + 1.2), layout="constrained")
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, precision, panel in zip(axes, precisions, panels, strict=True):
        _draw_panel(axis, precision, panel)
    axes[-1].set_xlabel("words per second")
    features = ", ".join(record["machine"]["cpu_features"]) or "unknown features"
    figure.suptitle(f"{record['model']}; {record['machine']['cores']} cores, {features}", fontsize=10, ha="center")
    figure.savefig(path, dpi=120, format="png")


def _draw_panel(axis: Any, precision: str, systems: list[Mapping[str, Any]]) -> None:
    speeds = [system["words_per_s"] for system in systems]
    colors = [_COLORS.get(system["name"].partition("-")[0], _OTHER_COLOR) for system in systems]
    bars = axis.barh([system["title"] for system in systems], speeds, color=colors)
    shares = ["" if system["of_limit"] is None else f"{system['of_limit']:.2f} of limit" for system in systems]
    axis.bar_label(bars, shares, padding=4, fontsize=8)
    limit = max((system["words_per_s"] for system in systems if system["name"].startswith("bare-")), default=None)
    if limit is not None:
        axis.axvline(limit, color="#444444", linestyle="--", linewidth=1)
    axis.set_xlim(0, 1.2 * max(speeds))
    axis.invert_yaxis()
    axis.set_title(precision, fontsize=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
