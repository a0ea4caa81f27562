"""The plot of the figures: each ratio beside what it may be at most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .figure import Figure


def draw(figures: Sequence[Figure], path: Path) -> None:
    """Horizontal bars, one a figure, as a share of its limit: left of the line is within it."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "amicleaner"
    shares = [(figure.ratio or 0) / (figure.goal or 1) for figure in figures]
    chart, axes = pyplot.subplots(figsize=(8, 0.45 * len(figures) + 1))
    bars = axes.barh(range(len(figures)), shares, color=["#2a78b5" if share <= 1 else "#c2501f" for share in shares])
    axes.bar_label(bars, [f"{figure.ratio:.2f} of {figure.goal:.2f}" for figure in figures], padding=3, fontsize=8)
    axes.set_yticks(range(len(figures)), [f"{figure.name}\nbeside {figure.against}" for figure in figures], fontsize=8)
    axes.axvline(1, color="#444", linewidth=1, linestyle="--")
    axes.set_xlim(0, max(1.3, *shares) * 1.2)
    axes.set_xlabel("ratio, as a share of what it may be at most (dashed line)")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    chart.tight_layout()
    chart.savefig(path, metadata={"Date": None})
