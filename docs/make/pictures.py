"""Make the pictures of the README and the guide from real runs: the virtual board trains.

``terminal.svg`` is what the screen of ``demo gesture`` shows at the end, ``accuracy.png`` is from its run's folder,
``lesson.svg`` the screen of a lesson, with a synthetic voice (the extra ``tpsgd[voices]``). Call it from any folder:

    python docs/make/pictures.py
"""

from __future__ import annotations

import asyncio
import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tpsgd_host.flashing.flash import flash
from tpsgd_host.teaching import example
from tpsgd_host.teaching.begin import begin
from tpsgd_host.teaching.screen import LessonApp
from tpsgd_host.teaching.teach import Scene, Source, open_lesson

COLUMNS, LINES = 100, 40
COMMAND = ["tpsgd-host", "demo", "gesture"]
IMAGES = Path(__file__).resolve().parents[1] / "images"

# rich's template loads its font from a server; the picture uses a font of the reader instead.
REMOTE_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def record(command: list[str], folder: Path) -> str:
    """Run a command in a folder, on a pseudo-terminal; return everything it wrote there."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": str(LINES), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | size)
    os.close(theirs)
    written = b""
    while chunk := _read(ours):
        written += chunk
    os.close(ours)
    if process.wait():
        sys.exit(written.decode())
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed: the command has ended
        return b""


def screen(written: str) -> list[str]:
    r"""Return the lines that a terminal shows in the end.

    rich's live view redraws itself with three controls alone: return (``\r``), up a line (``ESC[1A``) and erase the
    line (``ESC[2K``). The colours stay in the lines.
    """
    lines, row = [""], 0
    for piece in re.split(r"(\r\n|\n|\r|\x1b\[1A|\x1b\[2K|\x1b\[\?25[lh])", written):
        if piece in ("\n", "\r\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\x1b[1A":
            row -= 1
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif piece != "\r" and not piece.startswith("\x1b[?25"):
            lines[row] += piece
    return [line for number, line in enumerate(lines) if line or number < row]


def draw(lines: list[str], title: str) -> str:
    """Return an SVG picture of a terminal with these lines."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        text = Text.from_ansi(line)
        for piece in text.divide(range(COLUMNS, len(text), COLUMNS)):  # a terminal breaks lines anywhere
            console.print(piece, soft_wrap=True)
    return REMOTE_FONT.sub("", console.export_svg(title=title, theme=MONOKAI, unique_id="tpsgd"))


def lesson(folder: Path) -> str:
    """Return an SVG picture of the screen of a lesson, with its last word just tested."""
    found = example.collect(folder, None, 5)
    begun = begin(found.words, "sound", folder=folder)
    flash(begun.path, folder=folder / "board")

    async def shown(scene: Scene) -> str:
        app = LessonApp(scene, f"tpsgd-host teach: {begun.model.name}")
        app.title = "tpsgd-host teach"
        async with app.run_test(size=(80, 24)) as pilot:
            while not scene.lesson.progress.note.startswith("all was played"):
                await pilot.pause(0.1)
            app.show()
            await pilot.pause()
            picture = app.export_screenshot()
            await pilot.press("q", "n")
        return REMOTE_FONT.sub("", picture)

    with open_lesson(Source(found.folder, samples=5), folder=folder / "board", data=folder / "taught") as scene:
        return asyncio.run(shown(scene))


def main() -> None:
    """Record the demo; write the pictures to docs/images."""
    with tempfile.TemporaryDirectory() as folder:
        (IMAGES / "lesson.svg").write_text(lesson(Path(folder)), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        lines = ["$ " + " ".join(COMMAND), *screen(record(COMMAND, Path(folder)))]
        [accuracy] = Path(folder).rglob("accuracy.png")
        shutil.copy(accuracy, IMAGES)
    (IMAGES / "terminal.svg").write_text(draw(lines, " ".join(COMMAND)), encoding="utf-8")
    for name in ("terminal.svg", "accuracy.png", "lesson.svg"):
        print(f"{IMAGES / name}: {(IMAGES / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
