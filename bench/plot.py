"""The plot for users: a pair of bars for each figure, in its own unit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .figures import Figure, amount

OLD, NEW = "#9aa4b0", "#2a78b5"


def draw(figures: Sequence[Figure], path: Path) -> None:
    """One small chart per figure, each from 0."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "amicleaner"
    chart, rows = pyplot.subplots(len(figures), figsize=(8, 1.1 * len(figures)))
    for axes, figure in zip(rows, figures, strict=True):
        values = [figure.other or 0, figure.ours]
        bars = axes.barh(["0.2.2", "amicleaner"], values, height=0.7, color=[OLD, NEW])
        axes.bar_label(bars, [amount(value, figure.unit) for value in values], padding=4, fontsize=10)
        axes.set_title(figure.name, loc="left", fontsize=10, fontweight="bold")
        axes.set_xlim(0, max(values) * 1.15)
        axes.set_xticks([])
        axes.tick_params(axis="y", length=0, labelsize=10)
        axes.invert_yaxis()
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    chart.tight_layout()
    chart.savefig(path, metadata={"Date": None})
