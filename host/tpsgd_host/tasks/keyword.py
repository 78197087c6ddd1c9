"""Recordings of words for the demo: from a folder that the user names, else synthetic ones, in two parts.

Where enough speakers are known, those of the test part say nothing in the training part.
"""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tpsgd_host.data.wav import SUFFIX, Recording, find_recordings
from tpsgd_host.errors import DataError
from tpsgd_host.names import listing
from tpsgd_host.tasks import voices

#: How names say who speaks: as Speech Commands has it, and as the Free Spoken Digit Dataset has it.
PATTERNS = ("{label}/{speaker}_nohash_{take}", voices.PATTERN)

TEST_FRACTION = 0.2
EPOCHS = 10

#: Test accuracy, 0 to 1, that a run with the synthetic voices must reach.
GOAL = 0.90
SEED = 1

#: With fewer speakers the rest are too few to learn from: then recordings are set aside, not speakers.
ENOUGH_SPEAKERS = 10

#: Of a large set so many words are taken, and so many recordings of each at most.
MAX_WORDS, MAX_RECORDINGS = 10, 250


@dataclass(frozen=True)
class Keywords:
    """Words in two folders.

    Attributes
    ----------
    train, test : Path
    pattern : str
        Of the names in both; empty where the folder is the label.
    words : tuple of str
    speakers, strangers : tuple of str
        Those of the training part; those of the test part who are not among them.
    source : str
        Where the recordings come from.
    counts : tuple of int
        Recordings in the two parts.
    """

    train: Path
    test: Path
    pattern: str
    words: tuple[str, ...]
    speakers: tuple[str, ...]
    strangers: tuple[str, ...]
    source: str
    counts: tuple[int, int]


def collect(folder: Path, data: Path | None = None) -> Keywords:
    """Copy recordings into ``train`` and ``test`` in a folder.

    Parameters
    ----------
    folder : Path
        Created if missing.
    data : Path, optional
        A folder of WAV files; without it, a synthesizer says :data:`voices.WORDS`.

    Raises
    ------
    DependencyError
        When the synthesizer is needed and not installed.
    DataError
        When there are too few recordings, or the folder cannot be written to, or has others.
    """
    source = f"the recordings in {data}" if data else "synthetic voices of eSpeak NG"
    root = data or voices.synthesize(folder / "voices")
    pattern = pattern_of(root)
    found = _some(find_recordings(root, pattern))
    train, test, strangers = _parts(found)
    for name, part in (("train", train), ("test", test)):
        copy_recordings({folder / name / one.path.relative_to(root): one.path for one in part}, folder / name)
    return Keywords(
        folder / "train", folder / "test", pattern, tuple(sorted({one.label for one in found})), _speakers(train),
        strangers, source, (len(train), len(test)),
    )  # fmt: skip


def pattern_of(folder: Path) -> str:
    """Return the pattern that all names in a folder fit and that says who speaks; empty where there is none."""
    for pattern in PATTERNS:
        try:
            found = find_recordings(folder, pattern)
        except DataError:
            continue
        if pattern == PATTERNS[0] or all(one.fields["take"].isdecimal() for one in found):
            return pattern
    return ""


def _some(found: Sequence[Recording]) -> list[Recording]:
    """Return the recordings to take: of a large set some words, and some recordings of each."""
    by_word: dict[str, list[Recording]] = defaultdict(list)
    for one in found:
        by_word[one.label].append(one)
    words = sorted(by_word)
    if len(words) > MAX_WORDS:
        words = [word for word in voices.WORDS if word in by_word] or words[:MAX_WORDS]
    few = [word for word in words if len(by_word[word]) < 2]
    if len(words) < 2 or few:
        what = f"one recording of {listing(few)}" if few else f"one word, {listing(words)}"
        raise DataError(f"There is {what}; a part is set aside for testing.", "Record two words, several times each.")
    dice = random.Random(SEED)
    chosen = []
    for word in words:
        several = by_word[word]
        dice.shuffle(several)
        chosen += several[:MAX_RECORDINGS]
    return sorted(chosen, key=lambda one: one.path)


def _parts(found: Sequence[Recording]) -> tuple[list[Recording], list[Recording], tuple[str, ...]]:
    """Return the recordings for training, those for testing, and the speakers who are in the second part alone."""
    dice = random.Random(SEED)
    speakers = list(_speakers(found))
    if len(speakers) >= ENOUGH_SPEAKERS:
        dice.shuffle(speakers)
        strangers = set(speakers[: max(1, round(TEST_FRACTION * len(speakers)))])
        train = [one for one in found if one.fields["speaker"] not in strangers]
        test = [one for one in found if one.fields["speaker"] in strangers]
        words = {one.label for one in found}
        if words == {one.label for one in train} == {one.label for one in test}:
            return train, test, tuple(sorted(strangers))
    train, test = [], []
    for word in sorted({one.label for one in found}):
        several = [one for one in found if one.label == word]
        dice.shuffle(several)
        count = max(1, round(TEST_FRACTION * len(several)))
        test += several[:count]
        train += several[count:]
    return train, test, ()


def _speakers(found: Sequence[Recording]) -> tuple[str, ...]:
    return tuple(sorted({one.fields["speaker"] for one in found if "speaker" in one.fields}))


def copy_recordings(wanted: Mapping[Path, Path], folder: Path) -> None:
    """Copy recordings into a folder. What else is there would be learned, too: refuse that.

    Parameters
    ----------
    wanted : Mapping of Path to Path
        For each new file its source.

    Raises
    ------
    DataError
        When the folder has other recordings, or cannot be written to.
    """
    there = [path for path in folder.rglob("*") if path.suffix.lower() == SUFFIX] if folder.is_dir() else []
    others = [path.name for path in there if path not in wanted]
    if others:
        raise DataError(f"{folder} has other recordings: {listing(others, 3)}.", "Name another folder with --out.")
    try:
        for path, source in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
    except OSError as error:
        raise DataError(f"{folder} cannot be written to: {error.strerror or error}.", "Name another folder.") from None
