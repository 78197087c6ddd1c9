"""What the commands of a fleet print."""

from __future__ import annotations

from rich.table import Table

from tpsgd_host.console import Console
from tpsgd_host.fleet.report import MODEL, PICTURE, FleetReport
from tpsgd_host.fleet.rounds import Round
from tpsgd_host.names import listing
from tpsgd_host.terminal import echo

_MOST = 40  # users in the table


def show_round(done: Round, rounds: int) -> None:
    """Print a line about a round, and one for each reason why boards were missing."""
    echo(f"round {done.number}/{rounds}: {len(done.answered)} of {done.asked} boards, {done.seconds:.1f} s, "
         f"weights {done.crc:08x}")  # fmt: skip
    for reason in sorted(set(done.missing.values())):
        names = [name for name, why in done.missing.items() if why == reason]
        echo(f"  without {listing(names, 5)}: {reason}")


def show(report: FleetReport) -> None:
    """Print the table of users, and where everything is."""
    table = Table(box=None, header_style="bold")
    for name in ("user", "boards", "samples", "alone", "fleet", "own", "together"):
        table.add_column(name, justify="left" if name == "user" else "right")
    columns = ("alone", "fleet", "own", "together")
    for row in report.users[:_MOST]:
        cells = [_percent(getattr(row, name)) for name in columns]
        table.add_row(row.user, str(row.boards), str(row.samples), *cells)
    table.add_row("mean", "", "", *(_percent(report.mean(name)) for name in columns), style="bold")
    Console().print(table)
    for name, why in report.strangers.items():
        echo(f"note: {name} took no part: {why}")
    echo(f"{report.traffic:,} bytes of weights to and from each board in a round; {report.seconds:.1f} s in all")
    echo(f"{report.folder / MODEL}: the average; {report.folder / PICTURE}: the table as a picture")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
