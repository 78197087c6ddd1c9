"""The drive that a Pico shows in its loader, as a folder."""

from __future__ import annotations

import shutil
import threading
import time

from tpsgd_host.boards.drives import read_drive

INFO = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: {}\n"


class BootDrive:
    """A folder that behaves like a boot drive: it goes away once a UF2 file is whole on it."""

    def __init__(self, folder, board_id="RPI-RP2", size=0):
        self.folder, self.size, self.taken = folder, size, b""
        folder.mkdir()
        (folder / "INFO_UF2.TXT").write_text(INFO.format(board_id))
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self):
        until = time.monotonic() + 10
        while self.size and time.monotonic() < until:
            for path in self.folder.glob("*.uf2"):
                if path.stat().st_size == self.size:
                    self.taken = path.read_bytes()
                    shutil.rmtree(self.folder)
                    return
            time.sleep(0.01)

    def found(self):
        drive = read_drive(self.folder)
        return [drive] if drive else []
