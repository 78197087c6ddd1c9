"""Recordings for a lesson in which nobody has to speak: from a folder that the user names, else synthetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.data.wav import Recording, find_recordings
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing
from tpsgd_host.tasks import voices
from tpsgd_host.tasks.keyword import copy_recordings, pattern_of

#: Words of the synthetic voice, and how often it says each.
WORDS = ("on", "off", "left", "right")
TAKES = 15
VOICE = "f1"

COUNT = 4  # words of a lesson
MAX_TAKES = 50  # recordings of a word


@dataclass(frozen=True)
class Example:
    """Recordings in a folder per word.

    Attributes
    ----------
    folder : Path
    words : tuple of str
    count : int
        Recordings.
    speaker : str
        Who speaks; empty if several, or unknown.
    """

    folder: Path
    words: tuple[str, ...]
    count: int
    speaker: str


def collect(folder: Path, data: Path | None, samples: int) -> Example:
    """Copy recordings of a few words into ``said`` in a folder.

    Parameters
    ----------
    data : Path, optional
        A folder of WAV files; without it a synthesizer speaks.
    samples : int
        Recordings of each word that will be taught; there must be more.

    Raises
    ------
    DependencyError
        When the synthesizer is needed and not installed.
    DataError
        When there are too few recordings, or the folder has others or cannot be written to.
    """
    root = data or voices.synthesize(folder / "voices", WORDS, TAKES, (VOICE,))
    found = find_recordings(root, pattern_of(root))
    speaker, words = _lesson(found, samples)
    if len(words) < 2:
        raise DataError(
            f"{root} has too few recordings: a lesson needs two words and more than {samples} recordings of each",
            "Name another folder, or record more: tpsgd-host record.",
        )
    chosen = [one for one in found if one.label in words and speaker in ("", one.fields.get("speaker", ""))]
    said = folder / "said"
    counts: Counter[str] = Counter()
    wanted = {}
    for one in chosen:
        if counts[one.label] < MAX_TAKES:
            counts[one.label] += 1
            wanted[said / one.label / f"{counts[one.label]:04d}.wav"] = one.path
    copy_recordings(wanted, said)
    return Example(said, words, counts.total(), speaker)


def _lesson(found: Sequence[Recording], samples: int) -> tuple[str, tuple[str, ...]]:
    """Return the speaker with the most recordings and his words; if nobody has enough, no speaker and all words."""
    by_speaker: dict[str, Counter[str]] = {}
    for one in found:
        by_speaker.setdefault(one.fields.get("speaker", ""), Counter())[one.label] += 1
    for speaker, counts in sorted(by_speaker.items(), key=lambda item: (-item[1].total(), item[0])):
        words = _words(counts, samples)
        if len(words) == COUNT:
            return speaker, words
    return "", _words(Counter(one.label for one in found), samples)


def _words(counts: Counter[str], samples: int) -> tuple[str, ...]:
    """Return the words of a lesson: well-known ones first."""
    enough = [word for word in sorted(counts) if counts[word] > samples]
    known = [word for word in voices.WORDS if word in enough]
    return tuple((known if len(known) >= COUNT else enough)[:COUNT])


def describe(example: Example, data: Path | None) -> str:
    """Return in words what is played."""
    who = f", spoken by {example.speaker}" if example.speaker else "" if data is None else ", of several speakers"
    return f"{example.count} recordings of {len(example.words)} words{who}: {listing(example.words)}"
