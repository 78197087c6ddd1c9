"""``tpsgd-host plot``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tpsgd_host.cli import cli
from tpsgd_host.commands.plot import plot_runs
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.runs.events import RunStarted, SampleResult
from tpsgd_host.runs.folder import RunFolder


def record(root: Path, name: str) -> Path:
    """Return the folder of a short run."""
    folder = RunFolder.create(root, name)
    with folder:
        folder.handle(RunStarted({"classes": ["a", "b"]}))
        for i in range(50):
            folder.handle(SampleResult(i, 1, "train", i % 2, i % 3 % 2, i, i + 2))
    return folder.path


@pytest.fixture(name="runs")
def runs_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return two runs, in a present folder of their own."""
    monkeypatch.chdir(tmp_path)
    return [record(tmp_path / "runs", name) for name in ("one", "two")]


def test_one_run_is_drawn_into_its_folder(runs: list[Path]) -> None:
    """Without -o the pictures stand by the log."""
    assert plot_runs(runs[:1]) == [runs[0] / "accuracy.png"]
    assert plot_runs(runs[:1], kind="both", fmt="svg") == [runs[0] / "accuracy.svg", runs[0] / "confusion.svg"]
    assert (runs[0] / "confusion.svg").is_file()


def test_several_runs_are_compared_here(runs: list[Path]) -> None:
    """The comparison goes to the present folder, confusions to their runs."""
    assert plot_runs(runs, kind="both") == [Path("accuracy.png"), *(run / "confusion.png" for run in runs)]
    assert Path("accuracy.png").is_file()


def test_out_is_a_file_or_a_folder(runs: list[Path]) -> None:
    """A suffix makes it a file."""
    assert plot_runs(runs, Path("new/cmp.svg")) == [Path("new/cmp.svg")]
    assert plot_runs(runs[:1], Path("c.PNG"), "confusion") == [Path("c.PNG")]
    out = plot_runs(runs, Path("all"), "both")
    assert out == [Path("all/accuracy.png"), *(Path(f"all/{run.name}-confusion.png") for run in runs)]
    assert all(path.is_file() for path in out)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"out": Path("a.pdf")}, "neither .png nor .svg"),
        ({"out": Path("a.png"), "fmt": "svg"}, "is not SVG"),
        ({"out": Path("a.png"), "kind": "both"}, "3 pictures cannot go into one file, a.png"),
    ],
)
def test_contradictions_are_config_errors(runs: list[Path], keywords: dict[str, Any], message: str) -> None:
    """Nothing is drawn."""
    with pytest.raises(ConfigError, match=message):
        plot_runs(runs, **keywords)
    assert not list(Path().glob("*.*"))


def test_what_is_not_a_run(runs: list[Path]) -> None:
    """The hint names the run that may be meant."""
    with pytest.raises(DataError) as caught:
        plot_runs([Path("runs")])
    assert "Did you mean" in caught.value.hint
    with pytest.raises(DataError):
        plot_runs([*runs, Path("none")])
    with pytest.raises(ConfigError):
        plot_runs([])
    (runs[0] / "a-file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        plot_runs(runs, runs[0] / "a-file" / "x.png")


def test_command(runs: list[Path]) -> None:
    """It says what it wrote, as text or as JSON."""
    text = CliRunner().invoke(cli, ["plot", str(runs[0])])
    assert (text.exit_code, text.output) == (0, f"wrote {runs[0] / 'accuracy.png'}\n")
    as_json = CliRunner().invoke(cli, ["plot", *map(str, runs), "-o", "cmp.svg", "--json"])
    assert json.loads(as_json.output) == {"files": ["cmp.svg"]}
    assert CliRunner().invoke(cli, ["plot", "none"]).exit_code == DataError.exit_code
    assert CliRunner().invoke(cli, ["plot"]).exit_code == 2


def test_help_has_an_example() -> None:
    """The example can be copied."""
    text = CliRunner().invoke(cli, ["plot", "--help"]).output
    assert " tpsgd-host plot runs/wand-20250131-120000 --kind both\n" in text
