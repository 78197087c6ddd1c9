"""The pictures: labels apart from each other, for 2 to 30 classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.runs.events import Event, RunStarted, SampleResult
from tpsgd_host.runs.folder import RunFolder
from tpsgd_host.runs.view import plots
from tpsgd_host.runs.view.plots import plot_accuracy, plot_confusion
from tpsgd_host.runs.view.trace import LIMIT, moving_mean, trace

MakeRun = Callable[..., list[Event]]


def record(root: Path, events: list[Event], name: str = "wand") -> RunFolder:
    """Return a folder that holds ``events``, as a killed run leaves it: without result and picture."""
    folder = RunFolder.create(root, name)
    with folder:
        for event in events[:-1]:
            folder.handle(event)
    return folder


@pytest.fixture(name="drawn")
def drawn_fixture(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the list that gets each figure saved."""
    figures: list[Figure] = []
    save = plots.save

    def keep(figure: Figure, path: Path) -> None:
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(plots, "save", keep)
    return figures


def overlaps(texts: list[Text]) -> list[tuple[str, str]]:
    """Return the pairs of texts whose boxes, turned with the text, share more than an edge."""
    shown = [text for text in texts if text.get_text() and text.get_visible()]
    corners = [_corners(text) for text in shown]
    return [
        (shown[i].get_text(), shown[j].get_text())
        for i in range(len(shown))
        for j in range(i)
        if not _apart(corners[i], corners[j])
    ]


def _corners(text: Text) -> np.ndarray:
    """Return the corners of the box that turns with the text, shape (4, 2)."""
    angle = text.get_rotation()
    middle = np.array(text.get_window_extent().get_points()).mean(axis=0)
    text.set_rotation(0)
    box = text.get_window_extent()
    text.set_rotation(angle)
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [box.width / 2, box.height / 2 * 0.8]
    turn = np.deg2rad(angle)
    return middle + half @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether a side of one of two rectangles separates them."""
    for box in (a, b):
        for side in (box[1] - box[0], box[2] - box[1]):
            first, second = a @ side, b @ side
            if first.max() <= second.min() or second.max() <= first.min():
                return True
    return False


@pytest.mark.parametrize("n", [2, 5, 12, 13, 30])
@pytest.mark.parametrize("name", ["c{}", "a gesture with a long name {}"])
def test_confusion_labels_do_not_overlap(
    tmp_path: Path, make_run: MakeRun, drawn: list[Figure], n: int, name: str
) -> None:
    """Class names, recall and counts each have room."""
    run = make_run(classes=n, test=n * 15, epochs=2)
    run[0] = RunStarted({"classes": [name.format(i) for i in range(n)]})
    plot_confusion(record(tmp_path, run), tmp_path / "c.png")
    figure = drawn[0]
    figure.draw_without_rendering()  # it was saved at another resolution
    axes = figure.axes[0]
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title, axes.xaxis.label, axes.yaxis.label]
    assert overlaps(labels) == []
    assert overlaps([*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]) == []
    assert len(axes.texts) >= n
    for text in (*labels, *axes.texts):
        box = text.get_window_extent()
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1


@pytest.mark.parametrize("epochs", [1, 2, 12, 13, 100])
def test_epoch_ticks_do_not_overlap(tmp_path: Path, make_run: MakeRun, drawn: list[Figure], epochs: int) -> None:
    """The upper axis names as many epochs as have room."""
    plot_accuracy([record(tmp_path, make_run(epochs=epochs, train=20, test=5))], tmp_path / "a.png")
    drawn[0].draw_without_rendering()
    axes = drawn[0].axes[0]
    top = axes.child_axes[0]
    names = [label.get_text() for label in top.get_xticklabels()]
    assert names
    assert names[-1] == str(epochs if epochs != 13 else 12)
    assert overlaps([*top.get_xticklabels(), axes.title, top.xaxis.label]) == []


def test_several_runs_are_named(tmp_path: Path, make_run: MakeRun, drawn: list[Figure]) -> None:
    """Each run is in the legend, and runs of one name by their paths."""
    first = record(tmp_path, make_run(seed=1), "plain")
    second = record(tmp_path, make_run(seed=2), "viper$x$")
    plot_accuracy([first, second], tmp_path / "a.svg")
    assert {first.name, second.name} <= {text.get_text() for text in drawn[0].legends[0].get_texts()}
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    plot_accuracy([first, first], tmp_path / "b.png")
    shown = [text.get_text() for text in drawn[1].legends[0].get_texts()]
    assert shown[0].endswith(first.name[-10:])


def test_names_are_not_read_as_formulas(tmp_path: Path, make_run: MakeRun) -> None:
    """A dollar in a name stays a dollar."""
    run = make_run()
    run[0] = RunStarted({"classes": ["$", r"$\frac$", "a_b^c"]})
    folder = record(tmp_path, run)
    folder.path = folder.path.rename(tmp_path / r"$\run$")
    for suffix in ("png", "svg"):
        plot_confusion(folder, tmp_path / f"c.{suffix}")
        plot_accuracy([folder], tmp_path / f"a.{suffix}")


def test_a_run_without_results_is_a_data_error(tmp_path: Path) -> None:
    """The message names the run."""
    folder = RunFolder.create(tmp_path, "wand")
    folder.handle(RunStarted({}))
    for draw in (lambda path: plot_accuracy([folder], path), lambda path: plot_confusion(folder, path)):
        with pytest.raises(DataError, match=folder.name):
            draw(tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_other_suffixes_are_refused(tmp_path: Path, make_run: MakeRun) -> None:
    """PNG and SVG only."""
    with pytest.raises(ConfigError, match=r"neither \.png nor \.svg"):
        plot_accuracy([record(tmp_path, make_run())], tmp_path / "a.pdf")


@pytest.mark.parametrize("span", [1, 3, 100])
def test_moving_mean_is_the_naive_one(span: int) -> None:
    """The mean of what there is of the span."""
    values = np.random.default_rng(1).random(50)
    naive = [values[max(0, i + 1 - span) : i + 1].mean() for i in range(50)]
    np.testing.assert_allclose(moving_mean(values, span), naive)


def test_a_long_run_has_the_curve_of_its_blocks() -> None:
    """Past a number of samples a point stands for several; the mean of the span stays that of its samples."""
    dice = np.random.default_rng(1)
    right = dice.random(5 * LIMIT) < np.linspace(0.2, 0.9, 5 * LIMIT)
    one = trace("a", (SampleResult(i, 1, "train", 0, int(not ok), 64, 2) for i, ok in enumerate(right)))
    assert LIMIT <= len(one.samples) <= 2 * LIMIT
    assert one.samples[-1] == 5 * LIMIT
    span = one.span // 4 * 4
    every = np.array([right[max(0, int(n) - span) : int(n)].mean() for n in one.samples])
    np.testing.assert_allclose(one.prequential, every)


def test_trace_counts_training_samples(make_run: MakeRun) -> None:
    """The x axis counts what was learned, not what was tested."""
    one = trace("a", make_run(epochs=2, train=30, test=10))
    assert one.samples.tolist() == list(range(1, 61))
    assert one.held_out_samples.tolist() == [30, 60]
    assert one.epoch_ends == ((1, 30), (2, 60))
