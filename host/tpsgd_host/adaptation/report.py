"""Tables and pictures of an adaptation study, and their folder."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from tpsgd_host.adaptation.ready import Ready
from tpsgd_host.adaptation.results import AdaptationStudy, spoken_of
from tpsgd_host.comparison.tables import markdown_table, seeds_text
from tpsgd_host.files import write_atomic
from tpsgd_host.runs.log import write_json

_LEGEND = (
    "Accuracy in percent, mean over held-out ones and seeds. Bytes: RAM for learning on a board, including kept "
    "samples: {count} new ones a class with prototypes, else old ones while the new ones come from the host, once in "
    "each pass. How to learn (update shift, "
    "passes) was chosen {chosen}."
)
_CHOSEN = {
    "subject": "on training recordings of the known ones, each left out in turn",
    "class": "on training recordings, with other classes held out",
}

README = """\
Results of `tpsgd-host compare`, which this command repeats:

    {command}

- `result.json`: everything
- `tables.md`: tables and verdict
- `accuracies.csv`: one row for each network that was adapted
- `adaptation.png`: accuracy against the number of samples, on the new one and on the old ones
"""

READY = """\
- `{file}`: trained on all training samples, and set up to learn in the best way: {tuning}
"""

NEXT = {
    "subject": """\

With samples of a new one:

    tpsgd-host flash {file}
    tpsgd-host stream new.csv --epochs {passes}
""",
    "class": """\

With samples of a new class{old}:

    tpsgd-host adapt {file} -o more.tpsgd --add-class NAME
    tpsgd-host flash more.tpsgd
    tpsgd-host stream new.csv --epochs {passes}
""",
}


def legend(one: AdaptationStudy) -> str:
    """Explain how to read the tables."""
    return _LEGEND.format(chosen=_CHOSEN[one.kind], count=spoken_of(one.counts))


def heading(one: AdaptationStudy) -> str:
    """Describe what was studied."""
    names = ", ".join(held.name for held in one.held_out)
    return f"{one.problem}: {one.network}, {one.column} held out in turn: {names}; {seeds_text(one.seeds)}"


def terminal_tables(one: AdaptationStudy) -> list[Table]:
    """Return the tables for a terminal of 80 columns."""
    tables = []
    for title, heads, rows in _tables(one):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title=title, title_justify="left")
        for i, head in enumerate(heads):
            table.add_column(head, justify="right" if i else "left")
        for row in rows:
            table.add_row(*row)
        tables.append(table)
    return tables


def markdown(one: AdaptationStudy) -> str:
    """Return everything as Markdown."""
    parts = [f"## {one.problem}, by {one.column}", f"{heading(one)}.", legend(one)]
    for title, heads, rows in _tables(one):
        parts += [f"{title}:", markdown_table(heads, rows)]
    parts += ["How each one was adapted:", markdown_table(*_tunings(one))]
    parts.append("\n".join(f"- {sentence}" for sentence in one.verdict()))
    return "\n\n".join(parts) + "\n"


def write_folder(folder: Path, one: AdaptationStudy, toml: str, command: Sequence[str], ready: Ready) -> None:
    """Write figures, tables and the picture of a study, and the network to adapt."""
    readme = README.format(command=shlex.join(command))
    file = ready_file(one)
    ready.model.save(folder / file)
    old = f" and {ready.old} old ones of each known class" if ready.old else ""
    readme += READY.format(file=file, tuning=ready.tuning)
    readme += NEXT[one.kind].format(file=file, passes=ready.tuning.passes, old=old)
    write_json(folder / "result.json", {**one.as_dict(), "command": list(command)})
    for name, text in (
        ("tables.md", markdown(one)), ("README.md", readme), ("accuracies.csv", _accuracies(one)),
        (f"{one.stem}.toml", toml),
    ):  # fmt: skip
        write_atomic(folder / name, text.encode())
    from tpsgd_host.adaptation.picture import plot_study  # matplotlib is slow to import

    plot_study(one, folder / "adaptation.png")


def ready_file(one: AdaptationStudy) -> str:
    """Return the name of the file with the network to adapt."""
    return f"{one.stem}-adapt.tpsgd"


def _tables(one: AdaptationStudy) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return title, heads and rows of each table."""
    heads = ["samples per class", "bytes", "0", *map(str, one.counts)]
    tables = []
    for title, old in (("on the new one", False), ("on the old ones", True)):
        rows = [
            [way, f"{size:,}", *(_percent(one.mean(name, n, old)) for n in (0, *one.counts))]
            for name, way, size in one.ways
        ]
        tables.append((title, heads, rows))
    n = spoken_of(one.counts)
    heads = [f"on the new one, {n} per class", *(way for _, way, _ in one.ways)]
    each = [[held.name, *(_percent(held.mean(name, n)) for name, _, _ in one.ways)] for held in one.held_out]
    tables.append((f"each {one.column}", heads, each))
    return tables


def _tunings(one: AdaptationStudy) -> tuple[list[str], list[list[str]]]:
    n = spoken_of(one.counts)
    rows = []
    for held in one.held_out:
        tunings = {a.way: a.tuning for a in held.adapted if a.count == n}
        rows.append([held.name, *(tunings[name] for name, _, _ in one.ways)])
    return [f"{one.column}, {n} per class", *(title for _, title, _ in one.ways)], rows


def _accuracies(one: AdaptationStudy) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((one.column, "way", "samples per class", "seed", "new", "old"))
    for held in one.held_out:
        for a in held.adapted:
            for seed, new, old in zip(one.seeds, a.new, a.old, strict=True):
                writer.writerow((held.name, a.way, a.count, seed, f"{new:.6f}", f"{old:.6f}"))
    return text.getvalue()


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
