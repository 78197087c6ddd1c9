"""Files are written whole or not at all, and nothing of an attempt stays."""

from __future__ import annotations

import os
import stat

import pytest

from tpsgd_host.errors import DataError
from tpsgd_host.files import replacing, write_atomic, writing_text


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    write_atomic(path, b"one")
    with replacing(path) as file:
        file.write(b"tw")
        assert path.read_bytes() == b"one"
        file.write(b"o")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a"
    write_atomic(path, b"one")
    with pytest.raises(error), replacing(path) as file:
        file.write(b"two")
        raise error
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a"]


def test_a_text_is_utf_8_with_the_newlines_that_were_written(tmp_path):
    with writing_text(tmp_path / "a") as text:
        text.write("ä\r\nb\n")
    assert (tmp_path / "a").read_bytes() == "ä\r\nb\n".encode()


@pytest.mark.parametrize("name", ["missing/a", "folder", "a\udcff\0"])
def test_what_cannot_be_written_is_one_error(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_atomic(tmp_path / name, b"")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to("real")
    write_atomic(tmp_path / "link", b"one")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"one"


def test_a_device_stays_a_device():
    write_atomic(os.devnull, b"one")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
