"""The pages are right: their commands run, their links work, and generated parts are up to date."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner
from commands import call
from motions import write_motions

from tpsgd_host import errors
from tpsgd_host.cli import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]

#: Pages whose commands run here, in order, in a folder of their own; those of the examples run in test_examples.py.
RUN = ["README.md", "docs/index.md", "docs/ACCURACY.md", "docs/BOARDS.md", "docs/ON_DEVICE.md"]

#: What makes a command short enough for a test. It is the last on the line, so it counts.
SHORTER = {
    "demo": ["--epochs", "2"],
    "stream": ["--epochs", "2"],
    "compare": ["--epochs", "1", "--seeds", "1", "--jobs", "1", "--rules", "int-tpsgd,int-frozen"],
}


def shorter(words):
    """Return the options that make a command short; networks are compared by one method anyway."""
    options = SHORTER.get(words[0], [])
    return options[:-2] if "--networks" in words else options


class Line(NamedTuple):
    """A command line of a page."""

    page: str
    number: int
    words: list[str]  # without tpsgd-host
    whole: bool  # in a code block, to be typed as it is; in the text a command may stand without its arguments


def lines_of(path):
    """Return the command lines of a page: in code blocks and in the text."""
    text, page = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
    found, fenced, begun = [], False, ""
    for number, piece in enumerate(text.splitlines(), 1):
        line = begun + piece
        begun = line[:-1] if fenced and line.endswith("\\") else ""  # the command goes on in the next line
        if begun:
            continue
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            match = re.match(r"(?:\$ +| {4,})?(?:pip install \S+ && )?tpsgd-host +(.*)", line)
            if match and "[OPTIONS]" not in line:
                found.append(Line(page, number, shlex.split(match[1], comments=True), True))
    for match in re.finditer(r"`tpsgd-host\s+([^`]+)`", re.sub(r"```.*?```", blank, text, flags=re.S)):
        number = text.count("\n", 0, match.start()) + 1
        found.append(Line(page, number, shlex.split(match[1]), False))
    return found


def blank(match):
    """Return as many characters without a backtick: the places in the text stay."""
    return re.sub(r"[^\n]", " ", match[0])


LINES = [line for path in PAGES for line in lines_of(path)]


def parse(line):
    """Have Click parse a line without running it; in the text, see that command and options exist."""
    words, command = list(line.words), cli
    context = click.Context(cli, info_name="tpsgd-host", **cli.context_settings)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        command = command.get_command(context, name)
        if command is None:
            raise click.UsageError(f"no command {name!r}")
    if line.whole:
        command.make_context(command.name, words, parent=context).close()
        return
    known = {name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    for word in words:
        if word.startswith("-") and word not in known:
            raise click.NoSuchOption(word)


def needs_more(line):
    """Tell whether a line needs hardware, or recordings that no package ships: such lines are only parsed."""
    if "FOLDER" in line.words:
        return True
    board = line.words[line.words.index("--board") + 1] if "--board" in line.words else "virtual"
    return board != "virtual" or any(word.startswith("/dev/") for word in line.words)


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.page}:{line.number}")
def test_every_command_line_parses(line):
    try:
        parse(line)
    except click.ClickException as error:
        pytest.fail(f"{line.page}:{line.number}: tpsgd-host {shlex.join(line.words)}: {error.format_message()}")


def test_the_lines_were_found():
    assert {line.words[0] for line in LINES if line.whole} >= set(COMMANDS) - {"reset-model"}
    assert set(RUN) <= {line.page for line in LINES if line.whole}


def test_a_wrong_option_is_found():
    with pytest.raises(click.NoSuchOption):
        parse(Line("", 0, ["stream", "data.csv", "--epoch-count", "2"], True))
    with pytest.raises(click.NoSuchOption):
        parse(Line("", 0, ["stream", "--epoch-count"], False))
    with pytest.raises(click.MissingParameter):
        parse(Line("", 0, ["inspect"], True))


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_run_in_order(page, tmp_path, monkeypatch, interpreter):
    pytest.importorskip("sktime", reason="the gesture task needs sktime: pip install 'tpsgd[demo]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TPSGD_VIRTUAL", str(tmp_path / "board"))
    for number, name in enumerate(("data.csv", "new.csv", "few.csv")):
        write_motions(tmp_path / name, 48, number, ("slow", "fast", "still", "tilted"), wearers=("ann", "bob", "cy"))
    lines = [line for line in LINES if line.page == page and line.whole]
    if not any(line.words[0] == "new" for line in lines):  # the page begins with a board that has learned
        for words in (["new", "gestures", "--data", "data.csv"], ["quantize", "gestures.toml", "--data", "data.csv"]):
            call(*words)
        call("flash", "gestures.tpsgd", "--board", "virtual")
        call("stream", "data.csv", "--epochs", "2")
    ran = 0
    for line in lines:
        if not needs_more(line):
            result = CliRunner().invoke(cli, [*line.words, *shorter(line.words)])
            assert result.exit_code == 0, f"{page}:{line.number}: {result.output}{result.exception!r}"
            ran += 1
    assert ran


def test_the_readme_has_the_two_commands_and_one_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("pip install '.[demo]' && tpsgd-host demo gesture", "pip install -e '.[dev]' && pytest"):
        assert f"\n```\n{command}\n```\n" in readme
    assert len(readme.splitlines()) <= 110


def test_the_readmes_learner_learns(tmp_path, monkeypatch, capsys):
    """The Python of the README, with a sensor whose readings show two postures, and a button held at first."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)[1]
    example = ROOT / "examples" / "own_sensor"
    call("quantize", example / "model.toml", "--data", example / "example.csv", "-o", tmp_path / "model.tpsgd")
    monkeypatch.chdir(tmp_path)

    class Sensor:
        taken = 0

        def read(self):
            self.taken += 1
            if self.taken > 600:
                raise EOFError
            return (8000, 0, 0)

        def pressed(self):
            return self.taken < 500

    sensor = Sensor()
    with pytest.raises(EOFError):
        exec(code, {"sensor": sensor, "button": sensor})
    said = capsys.readouterr().out.split()
    assert len(said) == 5 and set(said) == {"wave"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_are_there(path):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"https?:", target):
            assert (path.parent / target).exists(), target


def test_pictures_are_small():
    for path in (ROOT / "docs" / "images").iterdir():
        assert path.stat().st_size < 150_000, path.name


@pytest.mark.parametrize("group", [(), ("bench",)])
def test_no_summary_of_a_command_is_cut_at_80_columns(group):
    text = CliRunner().invoke(cli, [*group, "--help"], terminal_width=80).output
    assert "..." not in text.split("Commands:")[1]


def test_the_page_of_the_commands_is_up_to_date():
    made = maker("cli").page()
    page = (ROOT / "docs" / "CLI.md").read_text(encoding="utf-8")
    assert page.split() == made.split(), "stale: run python docs/make/cli.py"
    for name in COMMANDS:
        assert f"\n## {name}\n" in page


def test_the_tables_of_accuracy_are_those_of_the_figures():
    accuracy = maker("accuracy")
    names = set()
    for page in accuracy.PAGES:
        text = page.read_text(encoding="utf-8")
        assert text == accuracy.filled(text), f"{page.name} is stale: run python docs/make/accuracy.py"
        names |= accuracy.used(text)
    files = sorted(accuracy.FIGURES.iterdir())
    assert names == {path.stem for path in files}, "a figure that no page shows, or the other way round"
    assert sum(path.stat().st_size for path in files) < 300_000
    assert len(accuracy.PAGES[0].read_text(encoding="utf-8").splitlines()) <= 150


def test_the_readmes_figures_are_those_of_the_suite():
    accuracy = maker("accuracy")
    suite = json.loads((accuracy.FIGURES / "suite.json").read_text(encoding="utf-8"))
    places = [suite["heads"].index(head) for head in ("tpsgd", "tpSGD targets", "backprop", "frozen")]
    kept = {tuple(row[i] for i in places) for row in suite["rows"]}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [tuple(row.split(" | ")[2:6]) for row in readme.splitlines() if row.startswith("| ") and "±" in row]
    assert len(shown) > 8 and set(shown) <= kept


def test_results_are_kept_as_a_table(tmp_path, monkeypatch):
    """What compare leaves in a folder becomes a figure with the command that makes it, and a table of it."""
    accuracy = maker("accuracy")
    monkeypatch.setattr(accuracy, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr(sys, "argv", ["tpsgd-host", *(words := [
        "compare", "--task", "gesture-rnn", "--networks", "--folds", "2", "--epochs", "1", "--seeds", "2", "-j", "1",
        "--out", str(tmp_path / "out"),
    ])])  # fmt: skip
    call(*words)
    accuracy.main(["keep", "networks", str(tmp_path / "out" / "result.json")])
    page = accuracy.filled("<!-- table: networks | samples | RNN | TDNN | MLP -->\n<!-- end -->")
    (one,) = json.loads((tmp_path / "out" / "result.json").read_text())["comparisons"]
    assert "| samples | RNN | TDNN | MLP |\n|---|---|---|---|\n| 80 | " in page
    for entry in one["entries"]:
        assert f"{100 * entry['mean']:.1f} ± {100 * entry['deviation']:.1f}" in page
    assert "Made by `tpsgd-host compare --task gesture-rnn --networks --folds 2 --epochs 1 --seeds 2`." in page
    assert accuracy.filled(page) == page


def test_what_is_measured_anew_replaces_its_cells_alone(tmp_path, monkeypatch):
    accuracy = maker("accuracy")
    monkeypatch.setattr(accuracy, "FIGURES", tmp_path)
    rows = [["wand", "old", "70.0 ± 1.0", "-", "9, 9, 9"], ["voice", "old", "80.0 ± 1.0", "60.0 ± 2.0", "5, 6, 7"]]
    heads = ["task", "network", "tpsgd", "DFA", "bytes: tpsgd, frozen, backprop"]
    (tmp_path / "suite.json").write_text(json.dumps({"command": "it", "heads": heads, "rows": rows}))
    entries = [
        {"name": "int-tpsgd", "accuracies": [0.98, 0.99], "bytes": 6141},
        {"name": "frozen", "accuracies": [0.1, 0.1], "bytes": 1},  # in floats: no column
    ]
    found = {"problem": "voice", "network": "TDNN 12-26@5-9 K=4", "test_samples": 640, "entries": entries}
    (tmp_path / "result.json").write_text(json.dumps({"command": [], "comparisons": [found]}))
    accuracy.main(["keep", "suite", str(tmp_path / "result.json")])
    kept = json.loads((tmp_path / "suite.json").read_text())
    assert kept["rows"][0] == rows[0]
    assert kept["rows"][1] == ["voice", "TDNN 12-26@5, K=4", "98.5 ± 0.7", "60.0 ± 2.0", "5, 6, 7"]


def test_every_exit_code_has_its_line():
    codes = maker("cli").exit_codes()
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.TpsgdError):
            assert kind.exit_code in codes, kind
    assert all(f"| {code} | {meaning} |" in (ROOT / "docs" / "CLI.md").read_text() for code, meaning in codes.items())
    assert {0, 1, 2, 130} <= set(codes)


def test_the_python_of_the_api_page_runs(tmp_path, monkeypatch, capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "API.md").read_text(encoding="utf-8"), re.S)[1]
    monkeypatch.chdir(tmp_path)
    write_motions(tmp_path / "data.csv", 30, 1)
    call("new", "gestures", "--data", "data.csv")
    exec(code, {})
    said = re.fullmatch(r"([\d.]+)% correct; the trained model is (\S+)\n", capsys.readouterr().out)
    assert float(said[1]) > 50 and Path(said[2]).is_file()


def test_the_notebook_shows_what_it_prints(tmp_path, interpreter):
    """It runs, and all its texts are those that the file keeps; pictures and floats may vary."""
    pytest.importorskip("nbclient", reason="the notebook needs nbclient: pip install -e '.[test]'")
    pytest.importorskip("sktime", reason="the gesture task needs sktime: pip install 'tpsgd[demo]'")
    notebook = maker("notebook")
    kept = notebook.nbformat.read(notebook.NOTEBOOK, as_version=4)
    assert shown(notebook.executed(tmp_path)) == shown(kept), "stale: run python docs/make/notebook.py"
    assert notebook.NOTEBOOK.stat().st_size < 150_000


def shown(notebook):
    """Return the texts of the cells that are not marked as varying, without the times in names of run folders."""
    return [
        re.sub(r"-\d{8}-\d{6}", "", output["data"]["text/plain"])
        for cell in notebook.cells
        if "varies" not in cell.metadata.get("tags", [])
        for output in cell.get("outputs", [])
        if "data" in output
    ]


def test_every_environment_variable_has_its_line():
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "host").rglob("*.py"))
    page = (ROOT / "docs" / "CLI.md").read_text(encoding="utf-8")
    assert set(re.findall(r"TPSGD_[A-Z0-9_]+", code)) == set(re.findall(r"^\| `(TPSGD_[A-Z0-9_]+)` \|", page, re.M))


def test_the_screen_of_a_recording_is_its_last_state():
    written = "$ run\r\n\x1b[?25l50%\r\n\x1b[32mbar\x1b[0m\r\x1b[2K\x1b[1A\x1b[2K100%\r\nend\r\n\x1b[?25h"
    assert maker("pictures").screen(written) == ["$ run", "100%", "end"]


def test_the_site_builds(tmp_path):
    """Strictly: a broken link, a page without its place or an unknown name is an error."""
    pytest.importorskip("mkdocs", reason="the site needs MkDocs: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in (ROOT / "docs").glob("*.md"):
        assert (tmp_path / ("" if page.stem == "index" else page.stem) / "index.html").is_file(), page.name
    html = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html"))
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=.?https?://(?!.*canonical)", html), "it needs a server"


def maker(name):
    """Return one of the modules in docs/make."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "make" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
