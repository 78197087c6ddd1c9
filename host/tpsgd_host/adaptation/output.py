"""Output of an adaptation study: printed as text, Markdown or JSON, and saved in a folder."""

from __future__ import annotations

import json

from tpsgd_host.adaptation import report
from tpsgd_host.adaptation.ready import ready_model
from tpsgd_host.adaptation.results import AdaptationStudy
from tpsgd_host.comparison.output import Output, command_line, console
from tpsgd_host.comparison.sources import Source
from tpsgd_host.terminal import echo


def show_study(output: Output, source: Source, one: AdaptationStudy) -> None:
    """Save and show an adaptation study."""
    ready = None if output.folder is None else ready_model(source.problem, one)
    if output.folder is not None and ready is not None:
        report.write_folder(output.folder, one, source.toml, command_line(), ready)
    if output.as_json:
        echo(json.dumps(one.as_dict(), indent=2))
    elif output.as_markdown:
        echo(report.markdown(one), nl=False)
    else:
        _show(one)
        output.tell_folder()
        if output.folder is not None and ready is not None:
            path = output.folder / report.ready_file(one)
            echo(f"{path} is trained, and set up to learn in the best way ({ready.tuning}); the README explains it")


def _show(one: AdaptationStudy) -> None:
    out = console()
    out.print(f"\n{report.heading(one)}\n", style="bold", markup=False)
    for table in report.terminal_tables(one):
        out.print(table)
    for sentence in one.verdict():
        out.print(sentence, markup=False)
    out.print(report.legend(one), style="dim")
