"""``summarize`` on realistic tables: roles of columns, and likely mistakes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tpsgd_host.data.summary import summarize
from tpsgd_host.errors import DataError

READINGS = 40  # of a recording
TURNS = {"wave": 3, "tap": 7, "rest": 0}


@pytest.fixture
def rows():
    """Thirty recordings of three gestures: (number, name, readings, label) of each row."""
    dice = np.random.default_rng(1)
    found = []
    for i in range(30):
        label = list(TURNS)[i % 3]
        for j in range(READINGS):
            x, y = (5 * wave(2 * math.pi * TURNS[label] * j / READINGS) for wave in (math.sin, math.cos))
            noise = 0.3 * dice.normal(size=2)
            found.append((len(found), f"r{i}", [f"{x + noise[0]:.4f}", f"{y + noise[1]:.4f}"], label))
    return found


@pytest.fixture
def table(tmp_path):
    """Write a table and look through it."""

    def look(header, cells, **named):
        path = tmp_path / "d.csv"
        path.write_text("\n".join([header, *(",".join(map(str, row)) for row in cells)]) + "\n")
        return summarize(path, **named)

    return look


def facts(found):
    return " / ".join(f"{suspicion.fact}: {suspicion.mend}" for suspicion in found.suspicions)


@pytest.mark.parametrize(
    ("header", "clock", "rate"),
    [
        (",timestamp_ms", lambda k: 1700000000000 + 20 * k, 50.0),
        ("Unnamed: 0,t [s]", lambda k: f"{0.02 * k:.2f}", 50.0),
        ("index,millis", lambda k: 10 * (k % READINGS), 100.0),
        ("n,when", lambda k: 5 * k, 0.0),  # its steps say that it is a clock, nothing says its unit
    ],
)
def test_clocks_and_indices_are_not_learned_from(table, rows, header, clock, rate):
    found = table(f"{header},recording,ax,ay,label", [(k, clock(k), name, *xy, y) for k, name, xy, y in rows])
    assert found.value_columns == ("ax", "ay")
    assert list(found.unused.values()) == ["counts the rows", "a clock"]
    assert found.rate == rate
    assert found.recordings == {"wave": 10, "tap": 10, "rest": 10}
    assert found.readings == (READINGS, READINGS)
    assert not found.suspicions


def test_a_reading_that_rises_is_no_clock(table):
    cells = [(f"r{i // 20}", f"{(i % 20) ** 2 * (0.5 + i % 3):.2f}", i % 7, "ab"[i // 200]) for i in range(400)]
    assert table("recording,height,n,label", cells).value_columns == ("height", "n")


@pytest.mark.parametrize("column", ["filename", "File Name", "rec", "which"])
def test_recordings_are_found_by_name_or_by_how_they_change(table, rows, column):
    found = table(f"{column},ax,ay,activity", [(f"{name}.wav", *xy, y) for _, name, xy, y in rows])
    assert (found.group, found.label, found.value_columns) == (column, "activity", ("ax", "ay"))
    assert sum(found.recordings.values()) == 30


def test_who_somebody_is_does_not_tell_recordings_apart(table, rows):
    found = table("who,ax,ay,label", [("anna" if k < 600 else "bo", *xy, y) for k, _, xy, y in rows])
    assert (found.group, found.unused) == ("", {"who": "words"})


def test_a_file_without_a_header_is_refused(table, rows):
    with pytest.raises(DataError, match="seems to have no header") as caught:
        table("0.5,4.2,wave", [(*xy, y) for _, _, xy, y in rows])
    assert "names the columns" in caught.value.hint
    assert table("0,1,label", [(*xy, y) for _, _, xy, y in rows]).value_columns == ("0", "1"), "as pandas writes it"


def test_a_measurement_is_no_class(table):
    dice = np.random.default_rng(1)
    cells = [(f"{a:.3f}", f"{b:.1f}") for a, b in dice.normal(size=(300, 2))]
    with pytest.raises(DataError, match="a measurement, not a class"):
        table("a,target", cells)
    whole = table("a,target", [(a, f"{i % 30}.0") for i, (a, _) in enumerate(cells)])
    assert len(whole.label_counts) == 30, "whole numbers with a point are classes"


def test_rows_of_several_recordings_that_alternate(table, rows):
    one, other = rows[:READINGS], rows[READINGS : 2 * READINGS]
    mixed = [row for pair in zip(one, other, strict=True) for row in pair]
    found = table("recording,ax,ay,label", [(name, *xy, y) for _, name, xy, y in mixed])
    assert "80 recordings, but only 2 different values" in facts(found) and "sort the rows" in facts(found)


def test_readings_that_would_be_samples(table, rows):
    found = table("ax,ay,label", [(*xy, y) for _, _, xy, y in rows])
    assert "1,200 rows counts as a sample" in facts(found) and "--window N" in facts(found)
    dice = np.random.default_rng(1)
    apart = table("a,b,label", [(*map(str, xy), "ab"[i % 2]) for i, xy in enumerate(dice.normal(size=(400, 2)))])
    assert not apart.suspicions
    by_class = table("a,b,label", [(*map(str, xy), "ab"[i // 200]) for i, xy in enumerate(dice.normal(size=(400, 2)))])
    assert not by_class.suspicions, "sorted by class, but each row is a sample"


def test_a_slip_is_shown_with_its_line(table, rows):
    cells = [[name, *xy, y] for _, name, xy, y in rows]
    cells[500][1] = "1e9"
    assert "column 'ax' has 1e+09 on line 502" in facts(table("recording,ax,ay,label", cells))


def test_cells_without_numbers_are_counted(table, rows):
    cells = [[name, *xy, y] for _, name, xy, y in rows]
    cells[3][1] = cells[7][1] = "nan"
    assert "'ax' holds no finite number in 2 rows, first on line 5: leave them out with --bad-rows skip" in facts(
        table("recording,ax,ay,label", cells)
    )


def test_long_recordings_and_uneven_classes(table):
    cells = [("anna" if i < 2000 else f"r{i // 20}", i % 7, "rest" if i < 2400 else "tap") for i in range(2420)]
    said = facts(table("who_or_what,x,label", cells, group="who_or_what"))
    assert "'anna' has 2,000 readings, but makes only one sample" in said and "--leave-out who_or_what=NAME" in said
    assert "fewer than 3 recordings of tap" in said
    assert "21 recordings of 'rest' and 1 of 'tap': always answering 'rest' is right for 95%" in said


def test_names_that_are_given_win(table, rows):
    cells = [(k, name, *xy, y) for k, name, xy, y in rows]
    found = table("n,recording,ax,ay,label", cells, columns=("n", "ax"), group="recording", label="label")
    assert found.value_columns == ("n", "ax") and found.unused == {}
    with pytest.raises(DataError, match="no column 'az'"):
        table("n,recording,ax,ay,label", cells, columns=("az",))


def test_a_long_table_is_not_kept_as_text(table):
    """Columns of more different numbers than there can be names lose their cells; classes and recordings do not."""
    dice = np.random.default_rng(1)
    cells = [(f"r{i // 10}", f"{x:.9f}", i // 10 % 3) for i, x in enumerate(dice.normal(size=25000))]
    found = table("recording,x,label", cells)
    assert (found.group, found.value_columns) == ("recording", ("x",))
    assert sum(found.recordings.values()) == 2500 and found.readings == (10, 10)
    with pytest.raises(DataError, match="a measurement, not a class"):
        table("recording,x,label", cells, label="x")
