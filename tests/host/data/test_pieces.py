"""A file that is read piece by piece gives what it gives when it is read whole."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest

from tpsgd_host.data import table
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_encoded, load_samples
from tpsgd_host.data.scaling import Scaling
from tpsgd_host.data.split import split
from tpsgd_host.errors import DataError

CLASSES = ("1", "2", "3")
SPELLINGS = {"1": ("1", "1.0"), "2": ("2", "2e0"), "3": ("3", "3.00")}
SCALING = Scaling(np.zeros(1, np.float32), np.full(1, 40.0, np.float32))


def random_csv(dice, groups):
    """Return a table of runs of a label, some rows without one, some rows bad, labels spelled in several ways."""
    lines = ["who,x,y,label"]
    while len(lines) < 120:
        label, who = dice.choice(CLASSES), dice.choice("abcdefgh")
        for _ in range(dice.choice((1, 2, 3, 5, 8, 40))):
            word = dice.choice(SPELLINGS[label]) if dice.random() < 0.97 else ""
            x = f"{dice.gauss(0, 1):.3f}" if dice.random() < 0.99 else "bad"
            lines.append(f"{who if groups else 'a'},{x},{dice.gauss(0, 1):.3f},{word}")
    return "\n".join(lines) + "\n"


def parts_of(samples):
    """Return training and test part, or what it says where no recording can be spared."""
    try:
        return split(samples, 0.3, 5)
    except DataError as error:
        assert "no class has a second recording" in error.message
        return ()


LAYOUTS = [
    Layout(1, 2, columns=("x", "y")),
    Layout(1, 2, group="who", columns=("x", "y")),
    *(
        Layout(2, 2, "recording", "mean", window, hop, group=group, columns=("x", "y"))
        for window, hop in ((0, 0), (2, 0), (2, 1), (3, 2), (3, 5), (4, 9), (7, 1))
        for group in ("", "who")
    ),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"{one.windows}-{one.window}-{one.hop}-{one.group}")
def test_pieces_are_the_whole(write, monkeypatch, layout):
    dice = random.Random(repr(layout))
    for _ in range(10):
        path = write(random_csv(dice, bool(layout.group)))
        monkeypatch.setattr(table, "BLOCK", 1 << 30)
        whole = load_samples(path, layout, CLASSES, "skip")
        monkeypatch.setattr(table, "BLOCK", dice.choice((1, 2, 3, 7, 20)))
        pieces = load_samples(path, layout, CLASSES, "skip")
        encoded = load_encoded(path, layout, SCALING, CLASSES, "skip")
        assert np.array_equal(pieces.values, whole.values)
        for samples in (pieces, encoded):
            assert np.array_equal(samples.labels, whole.labels)
            assert np.array_equal(samples.lines, whole.lines)
            assert tuple(samples.groups) == whole.groups
            assert samples.bad_rows == whole.bad_rows
        everything = encoded.activations(slice(None))
        assert np.array_equal(everything, SCALING.encode(whole.values))
        for part, want in zip(parts_of(encoded), parts_of(whole), strict=True):
            assert np.array_equal(part.activations(slice(None)), SCALING.encode(want.values))
            assert tuple(part.groups) == want.groups
            assert np.array_equal(part.lines, want.lines)


def test_a_bad_row_stops_at_its_line_in_every_piece(write, monkeypatch):
    monkeypatch.setattr(table, "BLOCK", 4)
    rows = ["1,2,1"] * 30
    for at in range(30):
        path = write("x,y,label\n" + "\n".join([*rows[:at], "1,2,nine", *rows[at:]]) + "\n")
        with pytest.raises(DataError, match=f"line {at + 2}: the label 'nine'"):
            load_encoded(path, Layout(1, 2), SCALING, CLASSES)


@pytest.mark.parametrize("layout", [Layout(5, 4), Layout(5, 20, "recording", "mean", 10, 10)])
def test_memory_does_not_grow_with_the_file(tmp_path, layout):
    """Except for a byte per activation and some bytes per sample, twice the rows take no more memory."""

    def peak(rows):
        path = tmp_path / "data.csv"
        with path.open("w") as file:
            file.write(",".join([*(f"x{i}" for i in range(20)), "label"]) + "\n")
            for i in range(rows):
                file.write(",".join(["0.5"] * 20) + f",{1 + i // 8192 % 3}\n")
        tracemalloc.start()
        samples = load_encoded(path, layout, SCALING, CLASSES)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest, samples.data.nbytes + 13 * len(samples)

    (small, held), (large, held_more) = peak(16384), peak(49152)
    # The arrays double their room as they grow: their bytes count twice at most.
    assert large - small < 2 * (held_more - held)
