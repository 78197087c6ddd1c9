"""Fill the tables of ``ACCURACY.md`` and its appendix from the results in ``figures``; a test finds stale ones.

python docs/make/accuracy.py                                fills the tables
python docs/make/accuracy.py keep networks out/result.json  keeps the results of comparisons as figures/networks.json

A table of many tasks that was measured bit by bit (suite, folds) is stored as rows; ``keep`` then replaces the cells of
the tasks and methods that were measured anew.

A figure has the command that makes it, or where there is none its origin. A table stands between
``<!-- table: NAME -->`` and ``<!-- end -->``, NAME that of a file in ``figures``;
``<!-- table: NAME | task | backprop -->`` takes these columns alone.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
PAGES = (DOCS / "ACCURACY.md", DOCS / "ACCURACY_APPENDIX.md")
FIGURES = DOCS / "figures"

#: Heads of the columns of networks and methods.
HEADS = {
    "tdnn": "TDNN", "rnn": "RNN", "mlp": "MLP", "int-tpsgd": "tpsgd", "int-label": "tpSGD targets",
    "int-frozen": "frozen", "bp": "backprop", "dfa": "DFA", "fa": "feedback alignment", "drtp": "DRTP",
}  # fmt: skip

#: The methods whose bytes the suite shows.
SIZED = ("int-tpsgd", "int-frozen", "bp")

_TABLE = re.compile(r"<!-- table: ([^>]*?) -->\n.*?<!-- end -->", re.S)

Table = tuple[list[str], list[list[str]]]


def filled(text: str) -> str:
    """Return a page with its tables made anew."""
    return _TABLE.sub(_filled, text)


def used(text: str) -> set[str]:
    """Return the names of the figures that a page shows."""
    return {match[1].split("|")[0].strip() for match in _TABLE.finditer(text)}


def _filled(match: re.Match[str]) -> str:
    name, *columns = [part.strip() for part in match[1].split("|")]
    figure = json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
    heads, rows = _table(figure)
    if columns:
        places = [heads.index(column) for column in columns]
        heads, rows = columns, [[row[i] for i in places] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in (heads, *rows)]
    lines.insert(1, "|" + "---|" * len(heads))
    source = f"Made by `{figure['command']}`." if "command" in figure else f"Made with {figure['origin']}."
    return "\n".join([f"<!-- table: {match[1]} -->", *lines, "", source, "<!-- end -->"])


def _table(figure: dict[str, Any]) -> Table:
    """Return heads and rows: stored as such, or made of comparisons."""
    if "rows" in figure:
        return figure["heads"], figure["rows"]
    comparisons = figure["comparisons"]
    names = list(dict.fromkeys(entry["name"] for one in comparisons for entry in one["entries"]))
    heads = ["task", "samples", *(HEADS.get(name, name) for name in names), "bytes", "difference, 95% interval"]
    return heads, [_row(one, names) for one in comparisons]


def _row(one: dict[str, Any], names: Sequence[str]) -> list[str]:
    entries = {entry["name"]: entry for entry in one["entries"]}
    titles = {entry["title"]: HEADS.get(entry["name"], entry["name"]) for entry in one["entries"]}
    taking_part = [name for name in names if name in entries]
    sizes = ", ".join(f"{entries[name]['bytes']:,}" for name in taking_part)
    gaps = [
        f"{titles[gap['one']]} - {titles[gap['other']]}: {gap['points']:+.1f} "
        f"({gap['points'] - gap['noise']:+.1f} to {gap['points'] + gap['noise']:+.1f})"
        for gap in one["differences"]
    ]
    cells = [_accuracy(entries[name], name == one["chosen"]) if name in entries else "-" for name in names]
    return [one["problem"], f"{one['samples']:,}", *cells, sizes, "; ".join(gaps)]


def _accuracy(entry: dict[str, Any], chosen: bool) -> str:
    """Return mean and deviation in percent, that of what was chosen in bold."""
    percent = [100 * accuracy for accuracy in entry["accuracies"]]
    text = f"{fmean(percent):.1f} ± {stdev(percent):.1f}"
    return f"**{text}**" if chosen else text


def keep(name: str, results: Sequence[Path]) -> None:
    """Keep what a table needs of the results that ``compare --out`` left; stored rows get new cells."""
    FIGURES.mkdir(exist_ok=True)
    path = FIGURES / f"{name}.json"
    found = [json.loads(path.read_text(encoding="utf-8")) for path in results]
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "rows" in stored:
        for document in found:
            for one in document["comparisons"]:
                _renew(stored, one)
        path.write_text(_rows_text(stored), encoding="utf-8")
        return
    kept = {
        "command": _command([document["command"] for document in found]),
        "tpsgd": found[0]["tpsgd"],
        "comparisons": [_kept(one) for document in found for one in document["comparisons"]],
    }
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _renew(stored: dict[str, Any], one: dict[str, Any]) -> None:
    """Replace a task's cells by what was measured; of methods that were not measured they stay."""
    heads = stored["heads"]
    row = next((row for row in stored["rows"] if row[0] == one["problem"]), None)
    if row is None:
        row = [one["problem"], *["-"] * (len(heads) - 1)]
        stored["rows"].append(row)
    entries = {HEADS[entry["name"]]: entry for entry in one["entries"] if entry["name"] in HEADS}
    sizes = [f"{entries[HEADS[name]]['bytes']:,}" for name in SIZED if HEADS[name] in entries]
    for i, head in enumerate(heads):
        if head in entries:
            row[i] = _accuracy(entries[head], chosen=False)
        elif head == "samples":
            row[i] = f"{one['test_samples']:,}"
        elif head == "network":
            row[i] = re.sub(r"(?<=\d)-\d+( K=\d+)$", r"\1", one["network"]).replace(" K=", ", K=")
        elif head.startswith("bytes") and len(sizes) == len(SIZED):
            row[i] = ", ".join(sizes)


def _rows_text(stored: dict[str, Any]) -> str:
    """Return stored rows as JSON with a line each."""
    fields = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in stored.items() if key != "rows"]
    rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in stored["rows"])
    return "{\n" + ",\n".join([*fields, f' "rows": [\n{rows}\n ]']) + "\n}\n"


def _kept(one: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {key: entry[key] for key in ("name", "title", "rates", "validation", "accuracies", "bytes", "by_fold")}
        for entry in one["entries"]
    ]
    same = {key: one[key] for key in ("problem", "network", "epochs", "seeds", "chosen", "differences")}
    return {**same, "samples": one["test_samples"], "folds": len(one["fold_results"]), "entries": entries}


def _command(commands: Sequence[list[str]]) -> str:
    """Return one command for all results, without what changes no figure; TASK and FOLDER stand for what differs."""
    words, skip = [], False
    first = commands[0]
    for word, before in zip(first, ["", *first], strict=False):
        if skip or word in ("-j", "--jobs", "-o", "--out"):
            skip = not skip
            continue
        several = before == "--task" and len(commands) > 1
        words.append("TASK" if several else "FOLDER" if before == "--data" else word)
    return shlex.join(words)


def main(words: Sequence[str]) -> None:
    """Keep results, or fill the tables."""
    if words and words[0] == "keep":
        keep(words[1], [Path(word) for word in words[2:]])
        return
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{page}: {len(used(page.read_text(encoding='utf-8')))} figures")


if __name__ == "__main__":
    main(sys.argv[1:])
