"""The TOML that a comparison leaves trains with the rates that it chose, and is otherwise the user's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from tpsgd_host.cli import cli
from tpsgd_host.comparison import compare
from tpsgd_host.comparison.methods import method
from tpsgd_host.comparison.tuned import has_tuned, tuned_toml
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.tasks import load_task, write_csv

pytestmark = pytest.mark.xdist_group("tuned")  # one worker: a fixture trains for all tests

INLINE = """
layer = [{kind = "recurrent", units = 32, leak = 3}, {kind = "output"}]
[data]
label = "label"
group = "recording"
windows = "recording"
steps = 25
channels = 6
[training]
shifts = [7, 8, 9]
readout_steps = 4
"""


@pytest.fixture(scope="module")
def compared(gesture):
    return compare(replace(gesture, epochs=2), ("int-tpsgd",), seeds=1)


@pytest.mark.parametrize("text", ["task", "inline", "crlf"])
@pytest.mark.parametrize("setting", [(0.0, 0.0), (2.0, -3.0)])
def test_it_has_the_shifts_that_were_chosen(gesture, compared, text, setting):
    shipped = load_task("gesture").toml
    toml = {"task": shipped, "inline": INLINE, "crlf": shipped.replace("\n", "\r\n")}
    problem = replace(gesture, config=parse_config(toml[text], "a.toml"))
    one = replace(compared, entries=(replace(compared.entries[0], setting=setting),))
    tuned = tuned_toml(problem, toml[text], one)
    wanted = method("int-tpsgd").configure(problem.config, setting, problem.config.seed)
    assert parse_config(tuned, "a.toml").layers == wanted.layers
    kept = [line for line in tuned.splitlines() if "shifts = [" not in line]
    assert text == "inline" or kept == [line for line in toml[text].splitlines() if "shifts = [" not in line]


def test_frozen_layers_get_none(gesture, compared):
    toml = load_task("gesture").toml.replace("kernel =", "frozen = true\nkernel =")
    tuned = tuned_toml(replace(gesture, config=parse_config(toml, "a.toml")), toml, compared)
    assert tuned.count("chosen by compare") == 1


def test_no_shifts_where_the_network_as_it_is_took_no_part(compared):
    assert has_tuned(compared)
    assert not has_tuned(replace(compared, entries=()))


def test_of_several_folds_the_commonest_choice_is_taken(gesture, compared):
    ours = compared.entries[0]
    folds = tuple(replace(compared, entries=(replace(ours, setting=s),)) for s in ((1, 0), (-1, 1), (-1, 1)))
    toml = load_task("gesture").toml
    tuned = tuned_toml(gesture, toml, replace(compared, fold_results=folds))
    wanted = method("int-tpsgd").configure(gesture.config, (-1, 1), gesture.config.seed)
    assert parse_config(tuned, "a.toml").layers == wanted.layers


def test_quantize_takes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(load_task("gesture"), tmp_path)
    quick = ["train.csv", "--epochs", "2", "--seeds", "1", "--jobs", "1", "--rules", "int-tpsgd", "--out", "found"]
    said = CliRunner().invoke(cli, ["compare", *quick])
    assert said.exit_code == 0, said.output
    (command,) = [line.split(": ")[1] for line in said.output.splitlines() if line.startswith("the rates chosen")]
    words = command.replace("--data FILE", "--data train.csv").split()
    assert words[:3] == ["tpsgd-host", "quantize", "found/gesture-tuned.toml"]
    done = CliRunner().invoke(cli, words[1:])
    assert done.exit_code == 0, done.output
