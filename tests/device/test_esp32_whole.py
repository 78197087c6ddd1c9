"""The whole product on an emulated ESP32: firmware by its boot ROM, then a board that learns what ``simulate`` learns.

You bring the emulator and the firmware, see ``tpsgd_host/bench/emulated/esp32.py``; ``quick.py`` says what its flash
has to be like. Bytes travel as over a cable. The test takes minutes.
"""

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import quick
import whole

from tpsgd_host.bench.emulated import esp32

pytestmark = [
    pytest.mark.skipif(esp32.missing() is not None, reason=str(esp32.missing())),
    pytest.mark.xdist_group("esp32"),
]

#: What the boot ROM reads from its pins when BOOT is held: it waits for esptool.
BOOT_HELD = ("-global", "driver=esp32.gpio,property=strap_mode,value=0x0f")


class Cable:
    """A port that passes bytes to another one no faster than a cable: the emulated UART loses what comes faster."""

    PIECE, SECONDS = 32, 0.003

    def __init__(self, to):
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.number = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
                with client, self._board() as board:
                    threading.Thread(target=self._back, args=(board, client), daemon=True).start()
                    while data := client.recv(4096):
                        for at in range(0, len(data), self.PIECE):
                            board.sendall(data[at : at + self.PIECE])
                            time.sleep(self.SECONDS)
                    board.shutdown(socket.SHUT_RDWR)  # closing alone would leave it open while it is read
            except OSError:
                if self._listener.fileno() < 0:
                    return

    def _board(self):
        for _ in range(100):
            try:
                return socket.create_connection(("127.0.0.1", self._to))
            except ConnectionRefusedError:
                time.sleep(0.1)
        raise OSError("the board is off")

    def _back(self, board, client):
        with contextlib.suppress(OSError):
            while data := board.recv(4096):
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


class Chip:
    """A chip with a flash; its UART is a port of this computer. A context manager that ends it."""

    def __init__(self, image):
        esp32.write_image(image)
        self._image = image
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._number = free.getsockname()[1]
        self._cable = Cable(self._number)
        self.port = f"socket://127.0.0.1:{self._cable.number}"
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.off()
        self._cable.close()

    def on(self, *pins):
        """Switch it on."""
        serial = f"tcp:127.0.0.1:{self._number},server=on,wait=off"
        self._process = subprocess.Popen(
            esp32.command(self._image, "-serial", serial, *(pins or quick.COUNTING)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def off(self):
        """Switch it off at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def reset(self):
        """Press EN: switch it off and on."""
        self.off()
        self.on()


def write(folder, chip):
    """Write the firmware and the product with one command, BOOT held and then EN pressed as it says; return its words.

    On a busy machine the emulator is slower than a chip. The hint says then to run the command again: the boot ROM
    found a wrong checksum, or mpremote had no answer for 10 s. The files that are there are not written again.
    """
    flash = ("flash", "motion.tpsgd", "--board", "esp32", "--port", chip.port, "--yes")
    for _ in range(3):
        chip.off()
        chip.on(*BOOT_HELD)
        with whole.Command(folder, *flash, "--firmware", esp32.FIRMWARE) as running:
            if "error: esptool" in running.until("error: esptool", "press RESET (EN)"):
                continue
            chip.reset()  # no control line reaches it
            if "error: mpremote" not in running.until("error: mpremote", "next:"):
                return running.until()
        break
    for _ in range(3):
        with whole.Command(folder, *flash, "--deploy-only") as again:
            if "error: mpremote" not in again.until("error: mpremote", "next:"):
                return running.said + again.until()
    raise AssertionError(running.said)


def test_from_firmware_to_a_board_that_has_learned(tmp_path):
    tried = tmp_path / "tried.bin"
    esp32.write_image(tried, Path(esp32.FIRMWARE).read_bytes())
    quick.start(tried)
    whole.prepare(tmp_path)
    (tmp_path / "esptool.cfg").write_text("[esptool]\ntimeout = 60\n")  # an emulator on a busy machine is slow
    with Chip(tmp_path / "flash.bin") as chip:
        assert "with ESP32" in write(tmp_path, chip)
        written = (tmp_path / "flash.bin").read_bytes()[esp32.FIRMWARE_AT :]
        firmware = Path(esp32.FIRMWARE).read_bytes()
        application = firmware.index(b"MicroPython")  # the loader before it is written with the flash's size
        assert written[application : len(firmware)] == firmware[application:]
        whole.learn(tmp_path, chip.port, "native", chip.reset)
