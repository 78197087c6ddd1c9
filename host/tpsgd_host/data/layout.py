"""How a model describes its data: columns, label, recordings, windows.

Shapes: C channels, T steps in a sample, W readings in a window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tpsgd_host.data.frontend import FrontEnd, LogMel

Windows = Literal["row", "recording"]
Resampling = Literal["linear", "mean"]

#: Names of the label, the group and the value columns (with commas) that a user gives in place of the model's.
Names = tuple[str | None, str | None, str | None]
NO_NAMES: Names = (None, None, None)

#: Default resampling; rows have none.
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
        Each row is a sample (wide), or each row is a reading of a recording (long).
    resampling : {"linear", "mean"}
        How W readings become T steps.
    window : int
        W, readings in a window; with 0 each recording is one window.
    hop : int
        Readings from the start of one window to the next; 0 for the length of a window.
    rate : float
        Readings per second; 0 where unknown.
    label : str
        Column that holds the class.
    group : str
        Column that tells recordings apart; empty where there is none.
    columns : tuple of str
        The value columns: T*C of them for ``row``, else C. If empty, every column but label and group, in file order.
    front : FrontEnd, optional
        What makes samples of sound or of a motion sensor's readings. With log-mel, ``group`` may be a pattern of the
        names of WAV files, such as ``{label}_{speaker}_{take}``.
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
    front: FrontEnd | None = None

    @property
    def hears(self) -> bool:
        """Whether samples are made of sound."""
        return isinstance(self.front, LogMel)

    @property
    def width(self) -> int:
        """Number of value columns that a table must have: T*C for rows, C for readings."""
        return self.steps * self.channels if self.windows == "row" else self.channels

    def named(
        self, label: str | None = None, group: str | None = None, columns: tuple[str, ...] | None = None
    ) -> Layout:
        """Return this layout with the names that a user gave on the command line."""
        return replace(
            self,
            label=self.label if label is None else label,
            group=self.group if group is None else group,
            columns=self.columns if columns is None else columns,
        )


def layout_of(layout: Layout, label: str | None, group: str | None, columns: str | None) -> Layout:
    """Return the model's layout with the names that a user gave; column names are separated by commas."""
    names = tuple(name.strip() for name in columns.split(",")) if columns else None
    return layout.named(label, group, names)
