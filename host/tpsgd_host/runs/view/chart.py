"""Draw a run's accuracy in a few lines of text: prequential as a braille curve, held-out as marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from rich.text import Text

Points: TypeAlias = Sequence[tuple[float, float]]

CURVE, MARK = "cyan", "bold yellow"
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # bits of a braille cell: column, then row from the top
_AXIS = 5  # columns of "100% "


class Curve:
    """Points of a curve in bounded memory: above ``limit``, every second one is dropped."""

    def __init__(self, limit: int = 1024) -> None:
        self.points: list[tuple[float, float]] = []
        self._limit = limit
        self._stride = 1
        self._skipped = 0

    def add(self, x: float, y: float) -> None:
        """Append a point; x must not fall."""
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        self.points.append((x, y))
        if len(self.points) > self._limit:
            del self.points[::2]
            self._stride *= 2


def chart(curve: Points, marks: Points, end: float, width: int, height: int, ascii_only: bool = False) -> Text:
    """Return the chart, ``height`` lines of ``width`` columns.

    Parameters
    ----------
    curve, marks : sequence of (x, y)
        Prequential and held-out accuracy, y in 0..1, x in 0..end.
    end : float
        The x at the right edge.
    ascii_only : bool
        Draw with ``.`` and ``o`` instead of braille and diamonds.
    """
    columns = max(width - _AXIS, 4)
    low = _floor([y for _, y in (*curve, *marks)])
    cells = _braille(curve, end, low, columns, height)
    marked = {_cell(x, y, end, low, columns, height) for x, y in marks}
    text = Text(no_wrap=True)
    for row in range(height):
        text.append(_tick(row, height, low), "dim")
        for column in range(columns):
            if (row, column) in marked:
                text.append("o" if ascii_only else "◆", MARK)
            elif bits := cells[row][column]:
                text.append("." if ascii_only else chr(0x2800 + bits), CURVE)
            else:
                text.append(" ")
        text.append("\n" if row < height - 1 else "")
    return text


def _floor(values: Sequence[float]) -> float:
    """Return the start of the axis: 0, 0.5 or 0.8, so that differences stay visible in a good run."""
    lowest = min(values, default=0.0)
    return next((low for low in (0.8, 0.5) if lowest >= low), 0.0)


def _tick(row: int, height: int, low: float) -> str:
    """Return the axis label of a line; the top, middle and bottom lines have one."""
    share = {0: 1.0, height - 1: low}
    if height % 2:
        share.setdefault(height // 2, (1 + low) / 2)
    return f"{share[row]:4.0%} " if row in share else " " * _AXIS


def _cell(x: float, y: float, end: float, low: float, columns: int, rows: int) -> tuple[int, int]:
    """Return (row, column) of a point on a grid of ``rows`` by ``columns``, row 0 at the top."""
    across = min(max(x / end, 0.0), 1.0) if end else 0.0
    up = min(max((y - low) / (1 - low), 0.0), 1.0)
    return round((1 - up) * (rows - 1)), min(int(across * columns), columns - 1)


def _braille(curve: Points, end: float, low: float, columns: int, height: int) -> list[list[int]]:
    """Return the bits of each cell: the mean of the points in each dot column, with neighbours joined."""
    sums: dict[int, tuple[float, int]] = {}
    for x, y in curve:
        at = _cell(x, y, end, low, 2 * columns, 4 * height)[1]
        total, count = sums.get(at, (0.0, 0))
        sums[at] = (total + y, count + 1)
    cells = [[0] * columns for _ in range(height)]
    before: tuple[int, int] | None = None
    for at, (total, count) in sorted(sums.items()):
        row = _cell(0, total / count, end, low, 1, 4 * height)[0]
        # A run with fewer samples than columns leaves some empty; these repeat the height to their left.
        since, from_row = before or (at, row)
        for gap in range(since + 1, at):
            _set(cells, gap, from_row)
        for dot in range(min(row, from_row), max(row, from_row) + 1):
            _set(cells, at, dot)
        before = (at, row)
    return cells


def _set(cells: list[list[int]], column: int, row: int) -> None:
    cells[row // 4][column // 2] |= _DOTS[column % 2][row % 4]
