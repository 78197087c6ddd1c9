"""Tables of a comparison: for the terminal, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean, stdev

from rich import box
from rich.table import Table

from tpsgd_host.comparison.results import Comparison, Difference, Entry
from tpsgd_host.comparison.verdict import rounded
from tpsgd_host.comparison.view import duration

HEADS = ("method", "test accuracy", "bytes", "time", "hidden rate", "output rate", "validation")

GAP_HEADS = ("difference", "points", "95% interval", "decided")

NEEDED = "recordings to decide"

FEW = 100  # test samples; with fewer, one is more than a point

_LEGEND = (
    "Test accuracy in percent, mean and deviation over the seeds. Bytes: RAM for training on a board, floats "
    "with four bytes per number. Time: processor time to train one network here, integers in C, floats in NumPy; it "
    "says nothing about boards. Differences are paired; they are undecided if the interval contains zero, and some so "
    "many recordings to test on would decide them if they stay as they are. Rates: update shifts (8/9/10 is 2^-8, then "
    "2^-9, then 2^-10), or the first rate, which is halved as often; chosen by the accuracy on validation parts. {used}"
)
_USED = "The test part was used once."
_IN_FOLDS = (
    "Every recording was tested once, by networks that learned from the other folds; rates were chosen among those."
)


def legend(comparisons: Sequence[Comparison]) -> str:
    """Explain the columns of the tables."""
    return _LEGEND.format(used=_IN_FOLDS if any(one.fold_results for one in comparisons) else _USED)


def heading(one: Comparison) -> str:
    """Describe the problem that was compared on."""
    samples = f"{one.train_samples:,} samples to learn and {one.test_samples:,} to test"
    if one.fold_results:
        samples = f"{one.test_samples:,} samples tested in {len(one.fold_results)} folds"
    return (
        f"{one.problem}: {one.network}, {len(one.classes)} classes, {samples}, {one.epochs} epochs, "
        f"{seeds_text(one.seeds)}"
    )


def how_chosen(one: Comparison) -> str:
    """Describe how learning rates were chosen."""
    times = "once" if one.folds == 1 else f"{one.folds} times"
    each = ", for each fold" if one.fold_results else ""
    return f"rates chosen on a fifth of the training recordings, {times}{each}: {one.validation_samples:,} samples"


def terminal_table(one: Comparison) -> Table:
    """Return the table for a terminal of 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for i, head in enumerate(HEADS[:-1]):
        table.add_column(head, justify="right" if i else "left")
    for entry in one.entries:
        table.add_row(*(cell.replace(" to ", " to\n") for cell in cells(entry)[:-1]))
    return table


def gap_table(one: Comparison) -> Table | None:
    """Return the differences for a terminal of 80 columns; None if there are none, or with a single seed."""
    known = [gap for gap in one.differences if gap.noise is not None]
    if not known:
        return None
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for i, head in enumerate((f"{known[0].one} minus", *GAP_HEADS[1:], NEEDED)):
        table.add_column(head, justify="right" if i else "left")
    for gap in known:
        needed = f"{rounded(gap.needed):,}" if gap.needed else "-"
        table.add_row(gap.other, f"{gap.points:+.1f}", interval(gap), "yes" if gap.decided else "undecided", needed)
    return table


def markdown(comparisons: Sequence[Comparison]) -> str:
    """Return all comparisons as Markdown: an overview if there are several, then the table and verdict of each."""
    parts = [overview(comparisons)] if len(comparisons) > 1 else []
    parts.append(legend(comparisons))
    for one in comparisons:
        rows = [cells(entry) for entry in one.entries]
        parts += [f"## {one.problem}", f"{heading(one)}; {how_chosen(one)}.", markdown_table(HEADS, rows)]
        if one.differences:
            parts.append(markdown_table(GAP_HEADS, gaps(one)))
        parts.append("\n".join(f"- {sentence}" for sentence in sentences(one)))
    return "\n\n".join(part for part in parts if part) + "\n"


def gaps(one: Comparison) -> list[list[str]]:
    """Return a row for each difference: the methods, points, interval, and whether that decides."""
    return [
        [
            f"{gap.one} - {gap.other}", f"{gap.points:+.1f}", interval(gap),
            "yes" if gap.decided else f"undecided, {rounded(gap.needed):,} recordings" if gap.needed else "undecided",
        ]
        for gap in one.differences
    ]  # fmt: skip


def interval(gap: Difference) -> str:
    """Return the interval of a difference; empty with a single seed."""
    return "" if gap.noise is None else f"{gap.points - gap.noise:+.1f} to {gap.points + gap.noise:+.1f}"


def sentences(one: Comparison) -> list[str]:
    """Return the notes below a table."""
    said = [*one.verdict, *(f"Note: {note}." for note in one.notes)]
    if one.test_samples < FEW and not one.fold_results:
        step = 100 / one.test_samples
        said.append(f"Each of {one.test_samples} test samples is {step:.1f} points: --folds 5 tests on all recordings.")
    if one.board is not None:
        where = " of the first fold" if one.fold_results else ""
        said.append(
            f"Seed {one.board.seed}{where} also trained on the virtual board, to the same weights, bit for bit (CRC "
            f"{one.board.crc:08x}), in {one.board.state_bytes:,} bytes."
        )
    return said


def overview(comparisons: Sequence[Comparison]) -> str:
    """Return a Markdown table with one row per problem and one column per method."""
    names = list(dict.fromkeys(entry.name for one in comparisons for entry in one.entries))
    titles = {entry.name: entry.title for one in comparisons for entry in one.entries}
    rows = []
    for one in comparisons:
        entries = [one.entry(name) for name in names]
        rows.append([one.problem, one.network, *(spread(entry.accuracies) if entry else "-" for entry in entries)])
    return markdown_table(("task", "network", *(titles[name] for name in names)), rows)


def cells(entry: Entry) -> list[str]:
    """Return a method's row."""
    return [
        entry.title, spread(entry.accuracies), f"{entry.bytes:,}", duration(entry.seconds),
        _span(entry.rates[0]) or "-", _span(entry.rates[1]), f"{100 * entry.validation:.1f}",
    ]  # fmt: skip


def _span(rates: str) -> str:
    """Return the least and the greatest of the rates that folds chose, by their first numbers."""
    each = sorted(rates.split(", "), key=lambda rate: [int(number) for number in re.findall(r"-?\d+", rate)])
    return each[0] if len(each) == 1 else f"{each[0]} to {each[-1]}"


def spread(accuracies: Sequence[float]) -> str:
    """Return mean and deviation in percent."""
    mean = f"{100 * fmean(accuracies):.1f}"
    return mean if len(accuracies) < 2 else f"{mean} ± {100 * stdev(accuracies):.1f}"


def seeds_text(seeds: Sequence[int]) -> str:
    """Return the number of seeds as text."""
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
