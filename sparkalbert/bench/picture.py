"""A picture of a run: each contender's throughput against the limit, one panel a precision.

It draws records and measures nothing. matplotlib is an extra; there is no picture without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sparkalbert.errors import MissingDependencyError

__all__ = ["draw"]

_COLORS: Final = {"bare": "#9aa5b1", "embedder": "#7fb2d6", "pipeline": "#1f6fb2"}
_OTHER_COLOR: Final = "#c9a66b"


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Write a record as a PNG.

    Parameters
    ----------
    record
        See :func:`sparkalbert.bench.record.whole_record`.
    path
        The file to write.

    Raises
    ------
    MissingDependencyError
        When matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = "A picture needs matplotlib: pip install 'sparkalbert[plot]'."
        raise MissingDependencyError(msg) from error
    ran = [one for one in record["contenders"] if one["words_per_s"]]
    precisions = list(dict.fromkeys(one["precision"] for one in ran))
    panels = [[one for one in ran if one["precision"] == precision] for precision in precisions]
    heights = [len(panel) + 1 for panel in panels]
    figure = Figure(figsize=(9, 0.45 * sum(heights) + 1.2), layout="constrained")
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, precision, panel in zip(axes, precisions, panels, strict=True):
        _panel(axis, precision, panel)
    axes[-1].set_xlabel("words per second")
    features = ", ".join(record["machine"]["cpu_features"]) or "unknown features"
    figure.suptitle(
        f"{record['model']}; {record['machine']['cores']} cores, {features}", fontsize=10, ha="center"
    )
    figure.savefig(path, dpi=120)


def _panel(axis: Any, precision: str, contenders: list[Mapping[str, Any]]) -> None:
    speeds = [one["words_per_s"] for one in contenders]
    colors = [_COLORS.get(one["name"].partition("-")[0], _OTHER_COLOR) for one in contenders]
    bars = axis.barh([one["title"] for one in contenders], speeds, color=colors)
    shares = ["" if one["of_limit"] is None else f"{one['of_limit']:.2f} of limit" for one in contenders]
    axis.bar_label(bars, shares, padding=4, fontsize=8)
    limit = max((one["words_per_s"] for one in contenders if one["name"].startswith("bare-")), default=None)
    if limit is not None:
        axis.axvline(limit, color="#444444", linestyle="--", linewidth=1)
    axis.set_xlim(0, 1.2 * max(speeds))
    axis.invert_yaxis()
    axis.set_title(precision, fontsize=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
