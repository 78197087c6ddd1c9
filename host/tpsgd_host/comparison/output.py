"""Output of a comparison or study: printed as text, Markdown or JSON, and saved in a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.comparison import folder as comparison_folder
from tpsgd_host.comparison.problem import Problem
from tpsgd_host.comparison.results import OURS, Comparison, document
from tpsgd_host.comparison.tables import gap_table, heading, how_chosen, legend, markdown, sentences, terminal_table
from tpsgd_host.comparison.tuned import has_tuned
from tpsgd_host.console import Console
from tpsgd_host.terminal import echo

#: A comparison with its problem (or one per fold) and the text of its TOML.
Kept = tuple[Sequence[Problem], str, Comparison]


@dataclass(frozen=True)
class Output:
    """How to show and save results.

    Attributes
    ----------
    as_json, as_markdown : bool
        Formats in place of text.
    folder : Path or None
        Where to save them.
    """

    as_json: bool
    as_markdown: bool
    folder: Path | None

    @property
    def quiet(self) -> bool:
        """Whether standard output is only for results."""
        return self.as_json or self.as_markdown

    def add(self, done: Sequence[Kept]) -> None:
        """Show the newest comparison and save all so far, in case the next one is interrupted."""
        if not self.quiet:
            _show(console(), done[-1][2])
        if self.folder is not None:
            comparison_folder.write_folder(self.folder, done, command_line())

    def close(self, found: list[Comparison]) -> None:
        """Show what concerns all comparisons."""
        if self.as_json:
            echo(json.dumps(document(found), indent=2))
        elif self.as_markdown:
            echo(markdown(found), nl=False)
        else:
            console().print(legend(found), style="dim")
            self.tell_folder()
            for one in found:
                self._tell_tuned(one)

    def tell_folder(self) -> None:
        """Report where the results were saved."""
        if self.folder is not None:
            echo(f"figures, tables and pictures are in {self.folder}")

    def _tell_tuned(self, one: Comparison) -> None:
        """Report what to do next with the chosen rates."""
        if self.folder is not None and has_tuned(one):
            path = self.folder / f"{one.stem}{comparison_folder.TUNED}"
            entry = one.entry(one.chosen)
            what = "the rates chosen for tpsgd are" if entry is None or entry.name == OURS else f"{entry.title} is"
            echo(f"{what} in {path}: tpsgd-host quantize {path} --data FILE")


def _show(console: Console, one: Comparison) -> None:
    console.print(f"\n{heading(one)}", style="bold", markup=False)
    console.print(how_chosen(one), markup=False)
    console.print(terminal_table(one))
    gaps = gap_table(one)
    if gaps is not None:
        console.print(gaps)
    for sentence in sentences(one):
        console.print(sentence, markup=False)


def console() -> Console:
    """Return standard output, as all results are printed on it."""
    return Console(highlight=False)


def command_line() -> list[str]:
    """Return the command as it was given."""
    return ["tpsgd-host", *sys.argv[1:]]
