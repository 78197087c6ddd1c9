"""Rich's console, which prints only clean text. It is separate from terminal.py because Rich is slow to import."""

from __future__ import annotations

from collections.abc import Iterable

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from tpsgd_host.terminal import clean


class Console(rich.console.Console):
    """Rich's console, which prints only clean text; Rich's own control sequences pass."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable, their text cleaned."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)
