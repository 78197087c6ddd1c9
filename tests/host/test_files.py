"""Files are written whole or not at all, and nothing of an attempt stays."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest

from tpsgd_host.errors import DataError
from tpsgd_host.files import open_file, read_file, replacing, write_atomic, writing_text


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


def test_what_a_killed_process_left_goes_when_the_file_is_written_again(tmp_path):
    path = tmp_path / "a[1].json"
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom tpsgd_host.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n    file.write(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    others = tmp_path / f".{path.name}.{os.getppid()}.tmp"  # of a process that runs
    others.write_bytes(b"")
    write_atomic(path, b"whole")
    assert sorted(os.listdir(tmp_path)) == sorted([path.name, others.name])


def test_only_regular_files_within_the_bound_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", 5) == b"12345"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(60 << 30)
    for name, most, why in (
        ("file", 4, "it has 5 bytes; the maximum is 4"), ("pipe", 4, "not a file"), ("zero", 4, "not a file"),
        ("sparse", 1 << 30, "it has 64424509440 bytes"), (".", 4, "directory"), ("none", 4, "No such file"),
    ):  # fmt: skip
        with pytest.raises(OSError, match=why) as caught:
            read_file(tmp_path / name, most)
        assert caught.value.strerror
    with open_file(tmp_path / "sparse") as file:
        assert file.read(2) == b"\0\0"


def test_a_file_whose_size_is_not_known_is_bounded_too():
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_file("/proc/self/status", 10)
