"""Spoken words without recordings: a synthesizer says them, in a process of its own, in several voices.

Real people differ far more from each other than these voices do.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

from tpsgd_host.errors import DataError, DependencyError
from tpsgd_host.terminal import one_line

PACKAGE = "espeakng_loader"
INSTALL = "pip install 'tpsgd[voices]', or name real recordings: --data FOLDER"

#: What the screen says about these recordings.
NOTE = "these voices are synthetic (eSpeak NG): real speech needs real recordings, which --data FOLDER names"

#: Ten words that Speech Commands has, too.
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")

#: Speakers: the name, the voice with its accent, words a minute, and pitch of 0 to 100.
SPEAKERS = {
    "f1": ("en-us+f1", 150, 50), "m1": ("en+m1", 160, 45), "f2": ("en-gb-x-rp+f2", 170, 55),
    "m2": ("en-us+m2", 140, 40), "f3": ("en+f3", 155, 60), "m3": ("en-gb-scotland+m3", 165, 50),
    "f4": ("en-us+f4", 175, 45), "m4": ("en-gb-x-gbcwmd+m4", 150, 55), "f5": ("en-029+f5", 160, 50),
    "m5": ("en-us+m5", 165, 60), "m6": ("en-gb-x-rp+m6", 145, 45), "annie": ("en-us+Annie", 155, 50),
    "m7": ("en+m7", 175, 50), "alicia": ("en-gb-scotland+Alicia", 160, 50), "m8": ("en-us+m8", 155, 40),
    "lee": ("en-029+Lee", 150, 55), "steph": ("en-us+steph", 160, 50), "john": ("en-us+john", 150, 50),
    "linda": ("en+linda", 165, 50), "rob": ("en-gb-x-rp+rob", 155, 50), "michael": ("en-us+Michael", 170, 50),
    "shelby": ("en+shelby", 150, 45), "david": ("en-gb-scotland+david", 160, 55), "belinda": ("en-us+belinda", 145, 50),
}  # fmt: skip
PATTERN = "{label}_{speaker}_{take}"

#: How much speed and pitch of a take differ from those of its speaker at most.
SPEED_VARIES, PITCH_VARIES = 25, 12
NOISE = (5.0, 40.0)  # standard deviation of a take's noise, least and most, in steps of an int16


def synthesize(
    folder: Path, words: Sequence[str] = WORDS, takes: int = 3, speakers: Sequence[str] = (), rate: int = 8000
) -> Path:
    """Have words spoken into a folder of WAV files named as :data:`PATTERN` says; return the folder.

    Parameters
    ----------
    folder : Path
        Created if missing. Files that are there already are kept. Into an empty folder each call writes the same bytes.
    words : sequence of str
        Labels and texts.
    takes : int
        Recordings of each word by each speaker; each has its own speed, pitch and noise.
    speakers : sequence of str
        Names in :data:`SPEAKERS`; if empty, all.
    rate : int
        Samples a second.

    Raises
    ------
    DependencyError
        When the synthesizer is not installed, or fails.
    DataError
        When the folder cannot be written to.
    """
    if find_spec(PACKAGE) is None:
        raise DependencyError("the demo's voices come with espeakng-loader, which is not installed", INSTALL)
    wanted = [
        _take(folder, word, name, take) for word in words for name in (speakers or SPEAKERS) for take in range(takes)
    ]
    missing = [one for one in wanted if not Path(str(one["path"])).is_file()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be written to: {error.strerror or error}.", "Name another folder.") from None
    if missing:
        _say(json.dumps({"rate": rate, "words": missing}))
    return folder


def _take(folder: Path, word: str, name: str, take: int) -> dict[str, object]:
    """Return how a take is to be said."""
    voice, speed, pitch = SPEAKERS[name]
    dice = random.Random(f"{word} {name} {take}")
    return {
        "path": str(folder / f"{word}_{name}_{take}.wav"), "text": word, "voice": voice,
        "speed": speed + dice.randint(-SPEED_VARIES, SPEED_VARIES),
        "pitch": pitch + dice.randint(-PITCH_VARIES, PITCH_VARIES), "noise": dice.uniform(*NOISE),
        "seed": dice.getrandbits(32),
    }  # fmt: skip


def _say(wanted: str) -> None:
    """Run the synthesizer: a program of its own, as its licence is another one."""
    with as_file(files("tpsgd_host.tasks") / "espeak.py") as program:
        done = subprocess.run([sys.executable, str(program)], input=wanted, capture_output=True, text=True, check=False)
    if done.returncode:
        last = one_line((done.stderr.strip().splitlines() or ["it says nothing"])[-1])
        raise DependencyError(f"the synthesizer ended with exit code {done.returncode}: {last[:200]}", INSTALL)
