"""The tasks: their data, their goals, and the files they are written to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tpsgd_host.data.load import load_samples
from tpsgd_host.errors import ConfigError, DataError, DependencyError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.parsing import load_config, parse_config
from tpsgd_host.runs.driver import drive
from tpsgd_host.runs.records import Presentation, RunRecords
from tpsgd_host.tasks import NAMES, Task, load_task, shipped, write_csv
from tpsgd_host.training.simulator import Simulator

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
#: What a task needs that no package ships, by the first word of its name.
NEEDS = {"fsdd": "fsdd-4speakers.npz", "wand": "wand/negative.csv", "mnist": "mnist-10k.npz"}
SHIPPED = ("gesture", "voice", "digits", "digits-cnn")


def load(name: str) -> Task:
    """Load a task, or skip the test and say what it lacks."""
    needed = NEEDS.get(name.partition("-")[0])
    if needed and not (DATA / needed).is_file():
        pytest.skip(f"../shared/data/{needed} beside the repository is needed for the task {name}")
    try:
        return load_task(name, DATA)
    except DependencyError as error:
        pytest.skip(f"{error.message} {error.hint}")


def accuracy(task: Task) -> float:
    """Return the test accuracy of the task's own run, simulated."""
    config = parse_config(task.toml, task.name)
    model = build_model(config, task.train)
    presentation = Presentation(task.train, task.test, task.epochs, task.shuffle_seed, test_every=task.epochs)
    ended, _ = drive(Simulator(model), RunRecords(model, presentation), [], 0)
    assert ended.test_accuracy is not None
    return ended.test_accuracy


@pytest.mark.parametrize(
    ("name", "train", "test", "classes"),
    [
        ("gesture", 40, 40, 4),
        ("voice", 270, 370, 9),
        ("digits", 1438, 359, 10),
        ("fsdd", 1800, 200, 10),
        ("wand", 400, 120, 3),
        ("mnist", 8000, 2000, 10),
        ("digits-cnn", 1438, 359, 10),
        ("mnist-cnn", 8000, 2000, 10),
    ],
)
def test_samples(name: str, train: int, test: int, classes: int) -> None:
    """Each task has the samples and classes it should, in the shape its model takes."""
    task = load(name)
    layout = parse_config(task.toml, name).layout
    assert task.train.values.shape == (train, layout.steps, layout.channels)
    assert task.test.values.shape == (test, layout.steps, layout.channels)
    assert task.train.classes == task.test.classes
    assert set(task.train.labels.tolist()) == set(task.test.labels.tolist()) == set(range(classes))
    assert np.isfinite(task.train.values).all() and np.isfinite(task.test.values).all()
    assert task.title and task.source


@pytest.mark.parametrize("name", ["digits", "fsdd", "wand", "mnist"])
def test_no_recording_is_on_both_sides(name: str) -> None:
    """Where the split is ours, or goes by takes, no recording is split."""
    task = load(name)
    assert not set(task.train.groups) & set(task.test.groups)


@pytest.mark.parametrize("name", NAMES)
def test_no_sample_is_on_both_sides(name: str) -> None:
    """No sample is learned and tested on."""
    task = load(name)
    train, test = ({values.tobytes() for values in part.values} for part in (task.train, task.test))
    assert not train & test


def test_speakers_and_takes_of_spoken_digits() -> None:
    """The test part of spoken digits is the official one: takes 0 to 4 of every speaker."""
    task = load("fsdd")
    assert {group.rpartition("_")[2] for group in task.test.groups} == set("01234")
    counts = np.bincount(task.test.labels)
    assert (counts == 20).all(), "four speakers, five takes"


def test_loading_is_the_same_every_time() -> None:
    """A seeded split does not change."""
    first, second = load("digits"), load("digits")
    assert first.test.groups == second.test.groups
    assert np.array_equal(first.test.values, second.test.values)


@pytest.mark.xdist_group("goals")  # the longest tests: groups are run first
@pytest.mark.parametrize("name", NAMES)
def test_goal(name: str) -> None:
    """With its own settings and seed each task reaches its goal."""
    task = load(name)
    assert accuracy(task) >= task.goal


@pytest.mark.parametrize("name", NAMES)
def test_files_give_the_same_samples(name: str, tmp_path: Path) -> None:
    """What write_csv writes loads as the same model and the same encoded samples."""
    task = load(name)
    if name.startswith("mnist"):  # a hundred of its 10,000 rows show the same
        task = replace(task, **_first_rows(task, 100))
    train_csv, test_csv, toml = write_csv(task, tmp_path / "new" / "folder")
    assert [path.name for path in (train_csv, test_csv, toml)] == ["train.csv", "test.csv", "model.toml"]
    config = load_config(toml)
    train = load_samples(train_csv, config.layout, config.classes or None)
    model = build_model(config, train)
    test = load_samples(test_csv, config.layout, model.classes)
    expected = build_model(parse_config(task.toml, name), task.train)
    assert model.to_bytes() == expected.to_bytes()
    for ours, theirs in ((train, task.train), (test, task.test)):
        assert np.array_equal(model.scaling.encode(ours.values), expected.scaling.encode(theirs.values))
        assert np.array_equal(ours.labels, theirs.labels)
        assert np.array_equal(ours.lines, theirs.lines)
        if config.layout.group:
            assert ours.groups == theirs.groups


def _first_rows(task: Task, count: int) -> dict[str, object]:
    """Return the fields of a task of rows, cut to its first ``count`` samples a side."""
    fields: dict[str, object] = {}
    for side in ("train", "test"):
        table, samples = getattr(task, f"{side}_table"), getattr(task, side)
        fields[side] = samples.take(np.arange(count))
        fields[f"{side}_table"] = replace(
            table, values=table.values[:count], labels=table.labels[:count], groups=table.groups[:count],
            lines=table.lines[:count],
        )  # fmt: skip
    return fields


def test_unknown_task() -> None:
    """A task that is not known is refused, and the known ones are listed."""
    with pytest.raises(ConfigError, match="gestures") as caught:
        load_task("gestures")
    assert "gesture, voice" in caught.value.hint


@pytest.mark.parametrize("name", NEEDS)
def test_data_that_are_not_there(name: str, tmp_path: Path) -> None:
    """Without its folder or its file a task says what it needs."""
    with pytest.raises(DataError, match="no package ships") as caught:
        load_task(name)
    assert "--data" in caught.value.hint
    with pytest.raises(DataError, match="There is no file"):
        load_task(name, tmp_path)


@pytest.mark.parametrize(("name", "file"), [("fsdd", "fsdd-4speakers.npz"), ("mnist", "mnist-10k.npz")])
def test_damaged_data(name: str, file: str, tmp_path: Path) -> None:
    """A damaged archive is a DataError."""
    (tmp_path / file).write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match="cannot be read"):
        load_task(name, tmp_path)


@pytest.mark.parametrize("name", SHIPPED)
def test_package_that_is_not_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that ships the data the error says how to install it."""
    monkeypatch.setattr(shipped, "find_spec", lambda _package: None)
    with pytest.raises(DependencyError, match="not installed") as caught:
        load_task(name)
    assert "pip install 'tpsgd[demo]'" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("@data\n", "no series"),
        ("@data\n1,2:3,4:a\n1,2:3:a\n", "series 2: not numbers"),
        ("@data\n1,?:3,4:a\n", "series 1: not numbers"),
        ("@data\n1,2:a\n", "series 1: 1 channels"),
    ],
)
def test_damaged_series(text: str, complaint: str, tmp_path: Path) -> None:
    """A .ts file that is not one is refused with the number of the series."""
    path = tmp_path / "series.ts"
    path.write_text(text)
    with pytest.raises(DataError, match=complaint):
        shipped.read_ts(path, ("x", "y"))


def test_series_of_unequal_length(tmp_path: Path) -> None:
    """Series may differ in length; comments and blank lines are passed over."""
    path = tmp_path / "series.ts"
    path.write_text("# a comment\n@data\n1,2:3,4:a\n\n5:6:b\n")
    table = shipped.read_ts(path, ("x", "y"))
    assert table.values.tolist() == [[1, 3], [2, 4], [5, 6]]
    assert table.labels == ("a", "a", "b")
    assert table.groups == ("series 1", "series 1", "series 2")
