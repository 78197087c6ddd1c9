"""What ``new`` makes of data that are no table of numbers with points: arrays, decimal commas, a single class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import call, fails

from tpsgd_host.model.parsing import load_config


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_decimal_commas_are_told_with_what_mends_them(here):
    rows = "".join(f"{'ab'[i % 2]};{i % 7},{i % 9};{i},5\n" for i in range(20))
    Path("comma.csv").write_text("label;x;y\n" + rows)
    text = fails(4, "new", "m", "--data", "comma.csv")
    assert "column 'x' has decimal commas, such as '0,0'" in text
    assert "sed 's/,/./g' OLD.csv > NEW.csv" in text
    Path("points.csv").write_text("label;x;y\n" + rows.replace(",", "."))
    call("new", "m", "--data", "points.csv", "--no-tune")
    words = "".join(f"{'ab'[i % 2]};{i % 7}.5;left, right\n" for i in range(20))
    Path("words.csv").write_text("label;x;note\n" + words)
    call("new", "w", "--data", "words.csv", "--no-tune")  # a comma in a sentence is none in a number


def test_one_class_is_a_fault_of_the_data(here):
    Path("one.csv").write_text("label,x,y\n" + "".join(f"a,{i * 7 % 5}.5,{i * 3 % 4}.5\n" for i in range(20)))
    text = fails(4, "new", "m", "--data", "one.csv")
    assert "one.csv holds one class, 'a'; a model needs 2 to 255" in text
    assert not Path("m.toml").exists()


def test_arrays_are_taken_as_they_are(here):
    rng = np.random.default_rng(1)
    y = np.arange(60) % 3
    np.savez("flat.npz", X=rng.normal(size=(60, 12)) + y[:, None], y=y)
    np.savez("steps.npz", x=rng.normal(size=(60, 8, 2)) + y[:, None, None], y=y, classes=["u", "v", "w"])
    call("new", "flat", "--data", "flat.npz")
    layout, classes = load_config(Path("flat.toml")).layout, load_config(Path("flat.toml")).classes
    assert (layout.windows, layout.steps, layout.channels, classes) == ("row", 1, 12, ("0", "1", "2"))
    call("new", "image", "--data", "flat.npz", "--steps", "4", "--network", "cnn", "--no-tune")
    assert load_config(Path("image.toml")).layout.channels == 3
    call("new", "steps", "--data", "steps.npz")
    config = load_config(Path("steps.toml"))
    assert (config.layout.steps, config.layout.channels, config.classes) == (8, 2, ("u", "v", "w"))
    for name in ("flat", "steps"):
        call("quantize", f"{name}.toml", "--data", f"{name}.npz")
        call("simulate", f"{name}.npz", "--model", f"{name}.tpsgd", "--epochs", "2")


@pytest.mark.parametrize(
    ("arrays", "options", "text"),
    [
        ({"x": np.zeros((4, 3)), "y": np.zeros(4, int)}, (), "holds one class, '0'"),
        ({"x": np.zeros((4, 3))}, (), "no array of labels"),
        ({"y": np.zeros(4, int)}, (), "no array of values"),
        ({"x": np.zeros(4), "y": np.arange(4)}, (), "shape (4,)"),
        ({"x": np.zeros((4, 3)), "y": np.arange(3)}, (), "there are 4 samples"),
    ],
)
def test_arrays_that_are_no_samples_are_told(here, arrays, options, text):
    np.savez("bad.npz", **arrays)
    assert text in fails(4, "new", "m", "--data", "bad.npz", *options)


def test_options_that_arrays_have_no_use_for_are_refused(here):
    np.savez("good.npz", x=np.zeros((4, 3)), y=np.arange(4) % 2)
    assert "which have no columns" in fails(3, "new", "m", "--data", "good.npz", "--label", "y")
    assert "3 values cannot be divided into 2 steps" in fails(3, "new", "m", "--data", "good.npz", "--steps", "2")
    np.savez("cut.npz", x=np.zeros((4, 3, 2)), y=np.arange(4) % 2)
    assert "have 3" in fails(3, "new", "m", "--data", "cut.npz", "--steps", "5")
