"""Firmware on an emulated ESP32, as a user writes it: by its boot ROM, then the board answers with what it is.

You bring the emulator and the firmware, see ``tpsgd_host/bench/emulated/esp32.py``. It travels as over a cable.

The test stops there. It proves nothing of copying files to this chip's flash, of training from there, or of a reset in
the middle: copying has not come to its end on this emulator. Each access to the flash stops the other processor and
rebuilds the memory map. On two busy processors an access took 66 ms and a copied file 22 s; there are 62 files, and
mpremote waits 10 s for an answer.
``test_rp2040_whole.py`` goes the whole way on another chip; ``test_esp32.py`` trains on this one
with files in RAM.
"""

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
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
            esp32.command(self._image, "-serial", serial, *pins, threads="single" if pins else "multi"),
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


def test_firmware_by_the_boot_rom(tmp_path):
    whole.prepare(tmp_path)
    (tmp_path / "esptool.cfg").write_text("[esptool]\ntimeout = 60\n")  # an emulator on a busy machine is slow
    with Chip(tmp_path / "flash.bin") as chip:
        flash = ("flash", "motion.tpsgd", "--board", "esp32", "--port", chip.port, "--yes")
        for _ in range(3):  # the boot ROM finds a wrong checksum at times; the hint says to run it again
            chip.off()
            chip.on(*BOOT_HELD)
            with whole.Command(tmp_path, *flash, "--firmware", esp32.FIRMWARE) as running:
                said = running.until("error: esptool", "press RESET (EN)")
                if "error: esptool" in said:
                    continue
                chip.reset()  # no control line reaches it
                said = running.until("the board: micropython")
                break
    assert "with ESP32" in said, said
    written = (tmp_path / "flash.bin").read_bytes()[esp32.FIRMWARE_AT :]
    firmware = Path(esp32.FIRMWARE).read_bytes()
    application = firmware.index(b"MicroPython")  # the loader before it is written with the flash's size
    assert written[application : len(firmware)] == firmware[application:]
