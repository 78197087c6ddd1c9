"""What a model says about its data: columns, label, recordings, windows.

Shapes: C channels, T steps in a sample, W readings in a window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Windows = Literal["row", "recording"]
Resampling = Literal["linear", "mean"]

#: What a user calls the label, the group and the value columns (with commas), where it is not as the model says.
Names = tuple[str | None, str | None, str | None]
NO_NAMES: Names = (None, None, None)

#: Resampling where nobody says; a row has none.
USUAL: dict[Windows, Resampling] = {"row": "linear", "recording": "mean"}


@dataclass(frozen=True)
class Layout:
    """How the rows of a table become samples (SPEC 1.6).

    Attributes
    ----------
    steps : int
        T, steps of a sample.
    channels : int
        C, values of a step.
    windows : {"row", "recording"}
        One row a sample (wide), or readings grouped into recordings (long).
    resampling : {"linear", "mean"}
        How W readings become T steps.
    window : int
        W, readings of a window; 0 takes each recording whole.
    hop : int
        Readings between the starts of two windows; 0 as ``window``.
    rate : float
        Readings a second, 0 where unknown.
    label : str
        Name of the column that holds the class.
    group : str
        Name of the column that tells recordings apart; empty where there is none.
    columns : tuple of str
        Names of the value columns; empty: every column but label and group, in the file's order. For ``row`` there are
        T*C of them, else C.
    """

    steps: int
    channels: int
    windows: Windows = "row"
    resampling: Resampling = "linear"
    window: int = 0
    hop: int = 0
    rate: float = 0.0
    label: str = "label"
    group: str = ""
    columns: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Value columns that a table must have: T*C for rows, C for readings."""
        return self.steps * self.channels if self.windows == "row" else self.channels

    def named(
        self, label: str | None = None, group: str | None = None, columns: tuple[str, ...] | None = None
    ) -> Layout:
        """Return this layout with the names that a user gave on the command line put in."""
        return replace(
            self,
            label=self.label if label is None else label,
            group=self.group if group is None else group,
            columns=self.columns if columns is None else columns,
        )


def layout_of(layout: Layout, label: str | None, group: str | None, columns: str | None) -> Layout:
    """Return the model's layout with the names that a user gave; those of the columns with commas between."""
    names = tuple(name.strip() for name in columns.split(",")) if columns else None
    return layout.named(label, group, names)
