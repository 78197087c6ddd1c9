"""Tables: what is read, what is refused, and what the user is told."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.load import load_samples, summarize
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.table import Table, read_table
from tpsgd_host.errors import DataError

XYZ = Layout(steps=1, channels=3)
GOOD = "x,y,z,label\n1,2,3,up\n-4,5.5,6e1,down\n"


def read(path: Path, layout: Layout = XYZ, policy: str = "stop", require_labels: bool = True) -> Table:
    return read_table(path, layout, Rejects(str(path), policy), require_labels)  # type: ignore[arg-type]


def refusal(path: Path, layout: Layout = XYZ) -> str:
    """Return message and hint of the DataError that reading raises."""
    with pytest.raises(DataError) as caught:
        read(path, layout)
    assert caught.value.exit_code == 4
    assert str(path) in caught.value.message
    return f"{caught.value.message} | {caught.value.hint}"


def test_reads_values_labels_and_lines(write):
    table = read(write(GOOD))
    assert table.columns == ("x", "y", "z")
    np.testing.assert_array_equal(table.values, [[1, 2, 3], [-4, 5.5, 60]])
    assert table.labels == ("up", "down")
    assert table.groups == ()
    assert table.lines.tolist() == [2, 3]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_delimiters_line_ends_and_byte_order_mark(write, delimiter, end, mark):
    text = GOOD.replace(",", delimiter).replace("\n", end)
    table = read(write(mark + text.encode()))
    assert table.columns == ("x", "y", "z")
    assert table.values[1].tolist() == [-4, 5.5, 60]


def test_semicolon_wins_over_commas_inside_names(write):
    path = write("a (m,s,x);b;label\n1;2;up\n3;4;up\n")
    assert read(path, Layout(1, 2)).columns == ("a (m,s,x)", "b")


def test_quotes_and_blank_lines_keep_line_numbers(write):
    path = write('\n"x","y","z","label"\n\n1,2,3,"up, or so"\n\n"4",5,6,"two\nlines"\n7,8,9,up\n\n')
    table = read(path)
    assert table.labels == ("up, or so", "two\nlines", "up")
    assert table.lines.tolist() == [4, 6, 8]


def test_columns_by_name_and_in_the_order_named(write):
    path = write("time,z,who,y,x,kind\n0,3,ann,2,1,up\n")
    layout = XYZ.named(label="kind", group="who", columns=("x", "y", "z"))
    table = read(path, layout)
    assert table.values.tolist() == [[1, 2, 3]]
    assert table.groups == ("ann",)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,2,up", "3 fields where the header has 4"),
        ("1,2,3,4,up", "5 fields where the header has 4"),
        ("1,two,3,up", "column 'y' says 'two', which is not a number"),
        ("1,,3,up", "column 'y' is empty"),
        ("1,nan,3,up", "column 'y' says 'nan', which is not a finite number"),
        ("1,2,-inf,up", "column 'z' says '-inf', which is not a finite number"),
        ("1,2,1e39,up", "column 'z' says '1e39', which is too large for a float32"),
        ("1_000,2,3,up", "column 'x' says '1_000', which is not a number"),
        ("1,2,3, ", "the label (column 'label') is empty"),
    ],
)
def test_bad_row_stops_or_is_skipped(write, row, reason):
    path = write(f"{GOOD}{row}\n7,8,9,up\n")
    message = refusal(path)
    assert f"{path}, line 4: {reason}." in message
    assert "--bad-rows skip" in message
    rejects = Rejects(str(path), "skip")
    table = read_table(path, XYZ, rejects)
    assert table.lines.tolist() == [2, 3, 5]
    assert [row.line for row in rejects.rows] == [4]
    assert rejects.rows[0].reason == reason


def test_large_numbers_whose_sum_overflows_are_good(write):
    assert read(write("x,y,z,label\n3e38,3e38,-3e38,up\n")).values[0, 0] == 3e38


def test_open_quote_is_named(write):
    message = refusal(write('x,y,z,label\n1,2,3,up\n1,"2,3,up\n4,5,6,up\n'))
    assert "line 3" in message and "quote" in message


def test_decimal_comma_is_recognised(write):
    assert "decimals with a point" in refusal(write("x;y;z;label\n1,5;2;3;up\n"))


def test_missing_file(tmp_path):
    assert "no file" in refusal(tmp_path / "absent.csv")


def test_folder(tmp_path):
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n \n\n", b"\xef\xbb\xbf"])
def test_empty_file(write, content):
    assert "is empty" in refusal(write(content))


def test_header_only(write):
    assert "a header and no rows" in refusal(write("x,y,z,label\n"))


def test_no_header(write):
    message = refusal(write("1,2,3,0\n4,5,6,1\n"))
    assert "no header" in message and "names the columns" in message


def test_not_text(write):
    assert "not UTF-8" in refusal(write("x,y,z,label\n1,2,3,über\n".encode("latin-1")))


def test_column_twice(write):
    assert "more than one column named 'x'" in refusal(write("x,x,z,label\n1,2,3,up\n"))


def test_missing_label_column_lists_the_columns_and_a_near_miss(write):
    message = refusal(write("x,y,z,Labl\n1,2,3,up\n"))
    assert "no column 'label'" in message
    assert "x, y, z, Labl" in message and "Did you mean 'Labl'?" in message and "--label" in message


def test_another_delimiter(write):
    message = refusal(write("x y z label\n1 2 3 up\n"))
    assert "only one column, 'x y z label'" in message and "separated by commas" in message


def test_missing_group_and_value_columns(write):
    path = write(GOOD)
    assert "--group" in refusal(path, XYZ.named(group="who"))
    assert "--columns" in refusal(path, XYZ.named(columns=("x", "y", "w")))


def test_label_among_the_values(write):
    assert "both" in refusal(write(GOOD), XYZ.named(columns=("x", "y", "label")))


def test_wrong_number_of_value_columns(write):
    message = refusal(write("t,x,y,z,label\n0,1,2,3,up\n"))
    assert "4 value columns found, but the model needs 3" in message and "t, x, y, z" in message


def test_labels_may_be_absent_where_they_are_not_required(write):
    assert read(write("x,y,z\n1,2,3\n"), require_labels=False).labels == ("",)
    assert read(write("x,y,z,label\n1,2,3,\n"), require_labels=False).labels == ("",)


@settings(max_examples=60)
@given(st.lists(st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3), min_size=1, max_size=20))
def test_numbers_come_back_exactly(write, rows):
    path = write("x,y,z,label\n" + "".join(",".join(map(repr, row)) + ",up\n" for row in rows))
    np.testing.assert_array_equal(read(path).values, rows)


SEED_CSV = b'recording,x,y,label\r\na,1.5,-2,up\r\na,2,"3",up\r\nb,0,1e3,down\r\nb,7,8,"do,wn"\r\n'
BYTES = st.sampled_from([b"\x00", b'"', b",", b";", b"\n", b"\r", b"\t", b"\xff", b"nan", b"9" * 400, b"e", b" ", b"_"])


@settings(max_examples=400)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SEED_CSV)), st.integers(0, 6), BYTES | st.binary(max_size=4)), max_size=6
    ),
    policy=st.sampled_from(["stop", "skip"]),
    windows=st.sampled_from(["row", "recording"]),
)
def test_damaged_files_are_read_or_refused(write, edits, policy, windows):
    content = SEED_CSV
    for place, drop, insert in edits:
        content = content[:place] + insert + content[place + drop :]
    path = write(content)
    layout = Layout(1, 2, windows, group="recording")
    try:
        samples = load_samples(path, layout, bad_rows=policy)
    except DataError:
        pass
    else:
        assert np.isfinite(samples.values).all()
        assert len(samples) == len(samples.groups) == len(samples.lines) > 0
        assert policy == "skip" or not samples.bad_rows
    with suppress(DataError):
        summarize(path)


def test_an_open_quote_does_not_cost_the_whole_file(write):
    path = write('x,y,z,label\n"' + "1,2,3,up\n" * 100_000)
    assert "line 2: not readable as CSV" in refusal(path)
    rejects = Rejects(str(path), "skip")
    assert len(read_table(path, XYZ, rejects).lines) > 80_000
    assert [row.line for row in rejects.rows] == [2]


def test_real_recordings(data_dir):
    layout = Layout(1, 6, "recording", group="recording")
    columns = summarize(data_dir / "wand" / "wingardium.csv").value_columns
    table = read(data_dir / "wand" / "wingardium.csv", layout.named(columns=columns), require_labels=False)
    assert columns == table.columns
    assert len(columns) == 6 and all(re.match("accel|gyro", name) for name in columns)
    assert len(table.lines) == 29980
