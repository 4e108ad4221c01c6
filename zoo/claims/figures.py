"""Figures of claims: matplotlib without a window, PNG bytes that are the same for the same numbers."""

from __future__ import annotations

import io
from typing import Any

Figure = Any  # matplotlib.figure.Figure
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito: for all eyes


def new(rows: int = 1, columns: int = 1, *, width: float = 3.2, height: float = 2.8, **options: Any) -> tuple[Any, Any]:
    """(figure, axes [rows, columns]); inches of one panel. `options` are those of `Figure.subplots`."""
    from matplotlib.figure import Figure as Sheet

    sheet = Sheet(figsize=(columns * width, rows * height), dpi=120, layout="constrained")
    axes = sheet.subplots(rows, columns, squeeze=False, **options)
    for panel in axes.flat:
        panel.set_prop_cycle(color=COLOURS)
    return sheet, axes


def png(figure: Figure) -> bytes:
    """The finished picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # no version in it
    return buffer.getvalue()
