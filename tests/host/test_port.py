"""Ports that pyserial opens by a URL."""

from __future__ import annotations

import socket
import threading

import cases
import serial
import serial.rfc2217
from boards import put_on

from tpsgd_host.boards.connect import connect
from tpsgd_host.boards.virtual import VirtualBoard


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
