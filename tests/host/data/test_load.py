"""From files to labelled samples: classes, recordings, what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from tpsgd_host.data.labels import unify, whole
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples, summarize
from tpsgd_host.errors import DataError

XY = Layout(steps=1, channels=2)
RECORDED = Layout(steps=2, channels=1, windows="recording", window=2)


def test_rows(write):
    path = write("x,y,label\n1,2,up\n3,4,down\n5,6,up\n")
    samples = load_samples(path, XY)
    assert samples.values.shape == (3, 1, 2)
    assert samples.classes == ("down", "up")
    assert samples.labels.tolist() == [1, 0, 1] and samples.labels.dtype == np.uint8
    assert samples.groups == ("line 2", "line 3", "line 4")
    assert samples.source == str(path) and samples.bad_rows == ()


def test_steps_of_a_row_follow_each_other(write):
    samples = load_samples(write("a0,b0,a1,b1,label\n1,2,3,4,up\n"), Layout(2, 2))
    assert samples.values.tolist() == [[[1, 2], [3, 4]]]


def test_integer_classes_are_in_numeric_order(write):
    text = "x,y,label\n1,2,10\n1,2,9.0\n1,2,1.000000000000000000e+01\n1,2,9\n"
    samples = load_samples(write(text), XY)
    assert samples.classes == ("9", "10")
    assert samples.labels.tolist() == [1, 0, 1, 0]


def test_classes_of_the_model(write):
    path = write("x,y,label\n1,2,3.0\n1,2,1\n1,2,03\n")
    samples = load_samples(path, XY, classes=("3", "2", "1"))
    assert samples.classes == ("3", "2", "1")
    assert samples.labels.tolist() == [0, 2, 0]
    assert load_samples(path, XY, classes=("1", "03", "other", "3.0")).labels.tolist() == [3, 0, 1]


def test_label_unknown_to_the_model(write):
    path = write("x,y,label\n1,2,up\n3,4,dwon\n")
    with pytest.raises(DataError) as caught:
        load_samples(path, XY, classes=("down", "up"))
    assert f"{path}, line 3: the label 'dwon' is none of the 2 classes" in caught.value.message
    assert "down, up" in caught.value.hint and "Did you mean 'down'?" in caught.value.hint
    assert "--bad-rows skip" in caught.value.hint
    with pytest.raises(DataError) as caught:
        load_samples(path, XY, classes=("left", "up"))
    assert "tpsgd-host adapt --add-class NAME gives a trained model one more class." in caught.value.hint
    samples = load_samples(path, XY, classes=("down", "up"), bad_rows="skip")
    assert samples.labels.tolist() == [1]
    assert [row.line for row in samples.bad_rows] == [3]


def test_nothing_left(write):
    with pytest.raises(DataError, match="no samples are left") as caught:
        load_samples(write("x,y,label\n1,,up\n,2,up\n"), XY, bad_rows="skip")
    assert "line 2" in caught.value.hint


def test_no_labels(write):
    path = write("x,y\n1,2\n3,4\n")
    assert load_samples(path, XY, require_labels=False).labels.tolist() == [255, 255]
    assert load_samples(path, XY, classes=("a", "b"), require_labels=False).classes == ("a", "b")
    with pytest.raises(DataError, match="no column 'label'"):
        load_samples(path, XY)


def test_too_many_classes(write):
    rows = "".join(f"1,2,{i / 7}\n" for i in range(300))
    with pytest.raises(DataError, match="300 different labels"):
        load_samples(write("x,y,label\n" + rows), XY)


def test_class_name_too_long_for_a_model(write):
    with pytest.raises(DataError, match="longer than 255 bytes"):
        load_samples(write(f"x,y,label\n1,2,{'ä' * 128}\n"), XY)


def test_suffixes(write):
    assert len(load_samples(write("x\ty\tlabel\n1\t2\tup\n", "data.TSV"), XY)) == 1
    with pytest.raises(DataError, match=r"does not read files that end in '\.xlsx'"):
        load_samples(write("", "data.xlsx"), XY)


def test_recordings_end_where_the_label_changes(write):
    path = write("x,label\n1,a\n2,a\n3,a\n4,b\n5,b\n6,a\n7,a\n")
    samples = load_samples(path, RECORDED)
    assert samples.values[:, :, 0].tolist() == [[1, 2], [4, 5], [6, 7]]
    assert samples.labels.tolist() == [0, 1, 0]
    assert samples.groups == ("recording 1", "recording 2", "recording 3")
    assert samples.lines.tolist() == [2, 5, 7]


def test_one_class_written_in_two_ways_is_one_recording(write):
    samples = load_samples(write("x,label\n1,1\n2,1.0\n3,2\n4,2\n"), RECORDED)
    assert samples.values[:, :, 0].tolist() == [[1, 2], [3, 4]]


def test_recordings_end_where_the_group_changes(write):
    path = write("who,x,label\nann,1,a\nann,2,a\nbob,3,a\nbob,4,a\n")
    samples = load_samples(path, RECORDED.named(group="who"))
    assert samples.groups == ("ann", "bob")


def test_a_short_recording_is_a_bad_row(write):
    path = write("who,x,label\nann,1,a\nann,2,a\nbob,3,a\ncyd,4,b\ncyd,5,b\n")
    layout = RECORDED.named(group="who")
    with pytest.raises(DataError) as caught:
        load_samples(path, layout)
    assert "line 4: recording 'bob' has 1 reading, but a window needs 2." in caught.value.message
    samples = load_samples(path, layout, bad_rows="skip")
    assert samples.groups == ("ann", "cyd")
    assert [(row.line, row.reason) for row in samples.bad_rows] == [
        (4, "recording 'bob' has 1 reading, but a window needs 2")
    ]


def test_a_skipped_reading_leaves_its_recording_whole(write):
    samples = load_samples(write("x,label\n1,a\n?,a\n2,a\n"), RECORDED, bad_rows="skip")
    assert samples.values[:, :, 0].tolist() == [[1, 2]]


def test_a_pause_without_label_ends_a_recording(write):
    path = write("x,label\n1,a\n2,a\n3,a\n0,\n4,a\n5,a\n")
    samples = load_samples(path, RECORDED, bad_rows="skip")
    assert samples.values[:, :, 0].tolist() == [[1, 2], [4, 5]]


def test_a_pause_with_an_unknown_label_ends_a_recording(write):
    path = write("x,label\n1,a\n2,a\n3,a\n0,rest\n0,rest\n4,a\n5,a\n")
    samples = load_samples(path, RECORDED, classes=("a", "b"), bad_rows="skip")
    assert samples.values[:, :, 0].tolist() == [[1, 2], [4, 5]]


def test_whole_recordings_of_any_length(write):
    path = write("x,label\n1,a\n2,a\n3,a\n7,b\n")
    layout = Layout(2, 1, "recording")
    assert load_samples(path, layout).values[:, :, 0].tolist() == [[1, 3], [7, 7]]


@pytest.mark.parametrize(
    ("label", "number"),
    [("3", 3), ("3.0", 3), ("-0", 0), ("3.000e+00", 3), ("1e2", 100), ("007", 7)],
)
def test_whole(label, number):
    assert whole(label) == number


@pytest.mark.parametrize("label", ["3.5", "up", "", "1_0", "nan", "inf", "9" * 5000, "1e999", "\u0663"])
def test_not_whole(label):
    assert whole(label) is None


def test_unify_leaves_words_alone():
    assert unify(["3", "3.0", "up"]) == ["3", "3.0", "up"]
    assert unify(["3.0", ""]) == ["3", ""]
    assert unify(["4.0"], ("3", "5")) == ["4.0"]


def test_summary(write):
    text = "id,time,x,y,z,note,gesture\n" + "".join(
        f"{i // 2},{i},1,2,3,hm,{'up' if i else 'down'}\n" for i in range(5)
    )
    summary = summarize(write(text))
    assert summary.columns == ("id", "time", "x", "y", "z", "note", "gesture")
    assert summary.numeric_columns == ("id", "time", "x", "y", "z")
    assert summary.value_columns == ("x", "y", "z")
    assert summary.rows == 5
    assert summary.label == "gesture" and summary.label_counts == {"up": 4, "down": 1}
    assert summary.group == "id"


@pytest.mark.parametrize(
    ("header", "label"),
    [("a,b,Label", "Label"), ("x,z,word", "word"), ("a,b,y", "y"), ("x,y,word", "word"), ("word,b,file", "word")],
)
def test_guess_of_the_label(write, header, label):
    row = ",".join("up" if name in (label, "file") else "1" for name in header.split(","))
    assert summarize(write(f"{header}\n{row}\n{row}\n")).label == label


def test_summary_of_a_named_label(write):
    path = write("id,x,y\n1,2,0\n2,3,1.0\n3,4,1\n")
    summary = summarize(path, label="y")
    assert summary.label_counts == {"1": 2, "0": 1}
    assert summary.group == "", "an id that never repeats tells rows apart, not recordings"
    assert summary.value_columns == ("x",)
    with pytest.raises(DataError, match="no column 'w'"):
        summarize(path, label="w")


def test_summary_of_a_table_without_labels(write):
    summary = summarize(write("a,b\n1,2\n"))
    assert summary.label == "" and summary.label_counts == {}


def test_real_recordings(data_dir):
    summary = summarize(data_dir / "wand" / "negative.csv")
    assert summary.group == "recording" and summary.label == ""
    layout = Layout(16, 6, "recording", "mean", window=100, hop=50, group="recording", columns=summary.value_columns)
    samples = load_samples(data_dir / "wand" / "negative.csv", layout, require_labels=False, bad_rows="skip")
    assert len(set(samples.groups)) == 8
    assert samples.values.shape[1:] == (16, 6) and len(samples) > 900


def test_real_images(data_dir):
    samples = load_samples(data_dir / "mnist-10k.npz", Layout(28, 28))
    assert samples.values.shape == (10000, 28, 28)
    assert samples.classes == tuple("0123456789")
