"""The public API: ``import tpsgd_host as tp``."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tpsgd_host as tp
from tpsgd_host.tasks import write_csv
from tpsgd_host.tasks.task import load_task


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with gestures, their network, and its model file."""
    folder = tmp_path_factory.mktemp("api")
    task = load_task("gesture")
    write_csv(task, folder)
    (folder / "model.toml").rename(folder / "gesture.toml")
    tp.quantize(folder / "gesture.toml", folder / "train.csv")
    return folder


def test_importing_loads_nothing_that_is_slow():
    """Commands import the package, too: they must not wait for NumPy and Rich."""
    code = "import sys, tpsgd_host; print([m for m in ('numpy', 'rich', 'matplotlib', 'serial') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_all_names_are_there_and_no_others():
    assert set(tp.__all__) <= set(dir(tp))
    assert all(callable(getattr(tp, name)) for name in ("load", "simulate", "stream", "evaluate", "quantize"))
    assert callable(tp.compare) and callable(tp.sweep)
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        tp.train  # noqa: B018 - the access is what is tested


def test_load_reads_as_the_toml_beside_the_file_or_a_model_says(place):
    samples = tp.load(place / "train.csv")
    model = tp.load_model(place / "gesture.tpsgd")
    assert len(samples) == len(tp.load(str(place / "train.csv"), model)) == 40
    assert repr(samples).startswith("<40 Samples of ")
    assert "classes" in repr(model) and len(repr(model)) < 100


def test_a_board_and_the_simulation_end_with_the_same_weights(place, interpreter):
    options = {"epochs": 2, "test_split": 0.2, "root": place / "runs"}
    simulated = tp.simulate(str(place / "gesture.tpsgd"), str(place / "train.csv"), **options)
    from tpsgd_host.flashing.flash import flash

    flash(place / "gesture.tpsgd", folder=place / "board")
    streamed = tp.stream(place / "train.csv", folder=place / "board", **options)
    assert streamed.outcome.weights_crc == simulated.outcome.weights_crc
    assert "held out" in repr(simulated) and len(repr(simulated)) < 250
    by_board = tp.evaluate(place / "test.csv", folder=place / "board")
    by_host = tp.evaluate(str(place / "test.csv"), simulated.folder / "model.tpsgd")
    assert by_board.predicted.tolist() == by_host.predicted.tolist()
    assert by_board.as_dict() == by_host.as_dict() and by_board.metrics.test.count == len(by_board.samples) > 0
    assert "labelled ones right" in repr(by_host) and len(repr(by_host)) < 100


def test_nothing_is_printed_unless_asked_for(place, capsys):
    tp.simulate(place / "gesture.tpsgd", place / "train.csv", epochs=1, root=place / "runs")
    assert capsys.readouterr().out == ""
    tp.simulate(place / "gesture.tpsgd", place / "train.csv", epochs=1, root=place / "runs", show=True)
    assert "epoch" in capsys.readouterr().out


def test_compare_takes_files(place):
    found = tp.compare(
        place / "train.csv", place / "gesture.toml", methods=("int-tpsgd", "int-frozen"), epochs=1, seeds=2
    )
    assert [entry.name for entry in found.entries] == ["int-tpsgd", "int-frozen"]
    assert repr(found).count("%") == 2


def test_sweep_trains_every_combination(place):
    settings = {"layer.0.units": [4, 8], "model.seed": [1, 2, 3]}
    found = tp.sweep(place / "gesture.toml", place / "train.csv", settings, epochs=2)
    assert len(found.trials) == 6
    assert found.trials[0].settings == {"layer.0.units": 4, "model.seed": 1}
    assert set(found.mean_by("layer.0.units")) == {4, 8}
    assert found.best.accuracy == max(row["accuracy"] for row in found.as_rows())
    again = tp.sweep(place / "gesture.toml", place / "train.csv", settings, epochs=2, jobs=2)
    assert again == found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"layer.7.units": [1]}, "does not exist in"),
        ({"layer.0.unit": [1]}, "not a setting"),
        ({"layer.0.units": [0]}, "1 to 1024"),
        ({"model.seed": []}, "nothing to sweep"),
    ],
)
def test_a_sweep_is_refused_before_it_trains(place, settings, said):
    with pytest.raises(tp.TpsgdError, match=said):
        tp.sweep(place / "gesture.toml", place / "train.csv", settings)
