"""Folders of WAV files: which there are, what their names say, and their samples.

Shapes: R samples of a recording.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpsgd_host.data.frontend import LogMel
from tpsgd_host.data.labels import NamedSamples, unify
from tpsgd_host.data.layout import Layout
from tpsgd_host.data.records import TABLES
from tpsgd_host.data.rejects import Rejects
from tpsgd_host.data.sound import frames, halved, word, words
from tpsgd_host.errors import ConfigError, DataError
from tpsgd_host.files import open_file
from tpsgd_host.names import listing

SUFFIX = ".wav"

#: Names in a pattern stand for a part of a file's name; ``label`` must be one.
_FIELD = re.compile(r"\\\{(\w+)\\\}")

#: Without a pattern: the label is the folder, else the name up to the first ``_``.
_USUAL = re.compile(r"(?:.*/)?(?P<label>[^/]+)/[^/]+|(?P<first>[^/_]+)(?:_[^/]*)?")

#: Seconds of a recording: a longer one is no word, and reading it is a mistake.
LONGEST = 600


@dataclass(frozen=True)
class Recording:
    """One file: where it is, its label, and what else its name says."""

    path: Path
    label: str
    fields: dict[str, str]


def is_sound(path: str | Path) -> bool:
    """Return whether a path is a folder without the suffix of a data file, or a WAV file."""
    suffix = Path(path).suffix.lower()
    return suffix == SUFFIX or (Path(path).is_dir() and suffix not in (*TABLES, ".npz"))


def find_recordings(folder: Path, pattern: str = "") -> list[Recording]:
    """Return the WAV files under a folder, sorted by path.

    Parameters
    ----------
    folder : Path
        Or one file.
    pattern : str
        Of the paths in the folder, such as ``{label}_{speaker}_{take}`` or ``{label}/{speaker}_nohash_{take}``. Without
        one a file's label is the folder it is in, or its name up to the first ``_``.

    Raises
    ------
    DataError
        When there are none, or one does not fit the pattern.
    """
    root = folder if folder.is_dir() else folder.parent
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() == SUFFIX) if folder.is_dir() else [folder]
    paths = [path for path in paths if not any(part.startswith((".", "_")) for part in path.relative_to(root).parts)]
    if not paths:
        raise DataError(f"{folder} holds no WAV files.", "Put them into a folder for each label.")
    fits = _compiled(pattern)
    found = []
    for path in paths:
        inside = path.relative_to(root).with_suffix("").as_posix()
        match = fits.fullmatch(inside)
        if not match:
            hint = "Change the pattern (group in [data], or --group), or move the file."
            raise DataError(f"{path} does not fit the pattern {pattern!r}.", hint)
        fields = {name: text for name, text in match.groupdict().items() if text is not None}
        found.append(Recording(path, fields.get("label") or fields["first"], fields))
    return found


def read_wav(path: Path, rate: int, longest: int = LONGEST) -> npt.NDArray[np.int16]:
    """Return a recording of ``rate`` samples a second, shape (R,); channels are averaged, twice the rate is halved.

    Of one that is longer than ``longest`` seconds, only these are read.

    Raises
    ------
    DataError
        When it cannot be read, or has another rate.
    """
    try:
        with open_file(path) as raw, wave.open(raw, "rb") as file:
            own, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            if own not in (rate, 2 * rate):
                raise DataError(
                    f"{path} has {own} samples a second, the model takes {rate} (or {2 * rate}, which are halved).",
                    f"Convert it: ffmpeg -i {path.name} -ar {rate} -ac 1 {path.stem}-{rate}.wav",
                )
            data = file.readframes(min(file.getnframes(), longest * own))
    except FileNotFoundError:
        raise DataError(f"There is no file {str(path)!r}.", "Check the name and the folder.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (EOFError, RuntimeError, wave.Error) as error:  # RuntimeError: a part says that it is longer than the file
        why = str(error) or "it ends too early"
        raise DataError(f"{path} is no WAV file that can be read: {why}.", "Record or convert it again.") from None
    pcm = _mono(data, width, channels)
    return pcm if own == rate else halved(pcm)


def _mono(data: bytes, width: int, channels: int) -> npt.NDArray[np.int16]:
    """Return int16 of samples of 1 to 4 bytes, interleaved."""
    data = data[: len(data) // (width * channels) * width * channels]
    if width == 1:  # unsigned, unlike all others
        x = (np.frombuffer(data, np.uint8).astype(np.int64) - 128) << 8
    else:
        raw = np.frombuffer(data, np.uint8).reshape(-1, width)[:, -2:]  # the two high bytes
        x = np.ascontiguousarray(raw).view("<i2").ravel().astype(np.int64)
    mean: npt.NDArray[np.int16] = (x.reshape(-1, channels).sum(axis=1) // channels).astype(np.int16)
    return mean


def load_words(
    folder: Path, layout: Layout, rejects: Rejects, classes: Sequence[str] | None, pattern: str
) -> NamedSamples:
    """Return a sample of each WAV file, values -127..127 (SPEC 1.9).

    A recording that is longer than a word may be is searched as a stream: its longest word counts.
    """
    front = layout.front
    if not isinstance(front, LogMel):
        raise DataError(
            f"{folder} holds sound, and the model has no front end that hears.", "tpsgd-host new NAME --data FOLDER"
        )
    values, labels, groups, lines = [], [], [], []
    for number, recording in enumerate(find_recordings(folder, pattern), 1):
        try:
            sample = _sample(read_wav(recording.path, front.rate), front, layout.steps)
        except DataError as error:
            rejects.add(number, error.message.rstrip("."), error.hint)
            continue
        if sample is None:
            rejects.add(number, f"{recording.path.name}: no word is in it")
            continue
        values.append(sample.astype(np.float64) - 128)
        labels.append(recording.label)
        groups.append(recording.path.relative_to(folder if folder.is_dir() else folder.parent).as_posix())
        lines.append(number)
    shape = (len(values), layout.steps, layout.channels)
    spelled = unify(labels, classes)
    return NamedSamples(np.array(values, np.float64).reshape(shape), spelled, groups, np.array(lines, np.int64))


def _sample(pcm: npt.NDArray[np.int16], front: LogMel, steps: int) -> npt.NDArray[np.uint8] | None:
    """Return the sample of a recording, None where it is long and has no word in it."""
    if not len(pcm):
        return None
    heard = frames(pcm, front)
    if len(heard) <= front.segmenting.longest + front.segmenting.before:
        return word(heard, steps, front.reach)
    found = max(words(heard, front, steps), key=lambda one: one.count, default=None)
    return None if found is None else found.sample


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return what takes a path, without its suffix, apart.

    Raises
    ------
    ConfigError
        When the pattern names no label, or one thing twice.
    """
    if "{" not in pattern:
        return _USUAL
    text = pattern.removesuffix(SUFFIX)
    parts = _FIELD.sub(lambda match: f"(?P<{match[1]}>[^/]+?)", re.escape(text))
    names = _FIELD.findall(re.escape(text))
    if "label" not in names or len(set(names)) < len(names):
        raise ConfigError(
            f"the pattern {pattern!r} must have {{label}}, and each name once; it has {listing(names)}",
            "Such as {label}_{speaker}_{take}.",
        )
    return re.compile(parts)
