"""The whole product on an emulated RP2040, over its USB serial port: a board that learns what ``simulate`` learns.

You bring the emulator, see ``tpsgd_host/bench/emulated/rp2040.py``. The test takes minutes: it writes all files.
"""

import socket
import threading

import pytest
import whole

from tpsgd_host.bench.emulated import rp2040

pytestmark = [
    pytest.mark.skipif(rp2040.missing() is not None, reason=str(rp2040.missing())),
    pytest.mark.xdist_group("rp2040"),
]


class AtAPort(rp2040.RP2040):
    """A board whose console is a port of this computer, for one program after the other."""

    def _open(self):
        self._send(self._first)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._client = None
        threading.Thread(target=self._take_clients, daemon=True).start()
        threading.Thread(target=self._pass_output, daemon=True).start()

    def close(self):
        self._listener.close()
        super().close()

    def _take_clients(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._client = client
            try:
                while data := client.recv(4096):
                    self._send(data)
            except OSError:
                pass
            self._client = None
            client.close()

    def _pass_output(self):
        while data := self._output.read(4096):
            try:
                if (client := self._client) is not None:
                    client.sendall(data)
            except OSError:
                pass


def test_a_board_with_micropython_learns(tmp_path):
    whole.prepare(tmp_path)
    with AtAPort() as board:
        whole.command(tmp_path, "flash", "motion.tpsgd", "--board", "rp2040", "--port", board.port, "--yes")
        whole.learn(tmp_path, board.port, "native")
