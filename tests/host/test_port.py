"""Ports that pyserial opens: by a URL, by one host at a time, and with other programs than a board at the end."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
import threading
import time

import cases
import pytest
import serial
import serial.rfc2217
from boards import put_on
from liars import FloodPort

from tpsgd_host.boards.connect import BoardText, _greet, connect
from tpsgd_host.boards.virtual import VirtualBoard
from tpsgd_host.errors import BoardGoneError, PortError
from tpsgd_host.link import port as link_port
from tpsgd_host.link.port import SerialPort
from tpsgd_host.link.session import Session


class Line(serial.Serial):
    """A pseudo-terminal as a serial port: it has no modem lines, which a server asks for."""

    cts = dsr = ri = cd = True
    dtr = rts = break_condition = True


class Rfc2217Server:
    """A serial port served over the network as RFC 2217 says, by pyserial's own server side; a context manager."""

    def __init__(self, path):
        self._line = Line(path, timeout=0.05)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        self.url = f"rfc2217://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self):
        self._threads = [threading.Thread(target=self._down, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._socket.close()
        for thread in self._threads:
            thread.join(5)
        self._line.close()

    def write(self, data):
        self._client.sendall(data)

    def _down(self):
        self._client, _ = self._socket.accept()
        self._manager = serial.rfc2217.PortManager(self._line, self)
        self._threads.append(threading.Thread(target=self._up, daemon=True))
        self._threads[1].start()
        while data := self._client.recv(1024):
            self._line.write(b"".join(self._manager.filter(data)))

    def _up(self):
        while not self._stop.is_set():
            try:
                data = self._line.read(self._line.in_waiting or 1)
            except serial.SerialException:
                return  # the board is switched off
            if data:
                self.write(b"".join(self._manager.escape(data)))


def test_a_board_is_reached_over_rfc2217(tmp_path, interpreter):
    put_on(tmp_path / "board", cases.model_bytes(1))
    with (
        VirtualBoard(tmp_path / "board") as machine,
        Rfc2217Server(machine.path) as server,
        connect(server.url) as board,
    ):
        assert board.pull().crc == int.from_bytes(cases.model_bytes(1)[-4:], "little")


def test_a_second_host_on_a_port_is_told_that_it_is_in_use():
    host, line = pty.openpty()
    first = SerialPort(os.ttyname(line))
    with pytest.raises(PortError, match="is in use") as caught:
        SerialPort(os.ttyname(line))
    assert "close the other program" in caught.value.hint
    first.close()
    SerialPort(os.ttyname(line)).close()
    os.close(host)
    os.close(line)


def test_a_port_that_its_last_program_still_holds_is_waited_for(monkeypatch):
    monkeypatch.setattr(link_port, "BUSY_FOR", 60.0)
    host, line = pty.openpty()
    first = SerialPort(os.ttyname(line))
    release = threading.Timer(0.3, first.close)
    release.start()
    SerialPort(os.ttyname(line)).close()
    release.join()
    os.close(host)
    os.close(line)


def test_of_eight_hosts_on_a_port_one_gets_it(tmp_path):
    host, line = pty.openpty()
    program = (
        "import sys, time\nfrom tpsgd_host.link.port import SerialPort\nfrom tpsgd_host.errors import PortError\n"
        "try:\n    port = SerialPort(sys.argv[1])\nexcept PortError as error:\n    print(error.message); sys.exit(6)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, os.ttyname(line)]
    hosts = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(8)]
    deadline = time.monotonic() + 60
    while sum(one.poll() is None for one in hosts) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sorted(one.poll() or 0 for one in hosts) == [0] + 7 * [6]
    for one in hosts:
        said, _ = one.communicate()
        assert not said or b"in use" in said
    os.close(host)
    os.close(line)


def test_a_repl_that_answers_is_told_once_and_by_name():
    shown = []
    text = BoardText(shown.append, hold=True)
    with pytest.raises(BoardGoneError, match="its REPL answers instead of the device program"):
        _greet(Session(FloodPort(b"raw REPL; CTRL-B to exit\r\n>"), text, patience=0.5), "auto", 0, text)
    assert not shown
    with pytest.raises(BoardGoneError, match="it says 'segmentation fault'"):
        text = BoardText(shown.append, hold=True)
        _greet(Session(FloodPort(b"segmentation \x1b[31mfault\r\n"), text, patience=0.5), "auto", 0, text)


def test_what_was_printed_before_the_session_is_shown_once():
    shown = []
    text = BoardText(shown.append, hold=True)
    text("hello\r\nagain\nagain\nagain\nha")
    assert not shown
    text.release()
    text("lf\nagain\n")
    assert shown == ["hello", "again", "half", "again"]


def test_a_line_without_an_end_is_shown_in_pieces():
    shown = []
    text = BoardText(shown.append)
    for _ in range(100):
        text("x" * 100)
    assert 1 < len(shown) < 5 and len(text.all) <= 4000
