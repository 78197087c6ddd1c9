"""The computer's microphone, through the package sounddevice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tpsgd_host.data.playing import Piece
from tpsgd_host.errors import DependencyError, PortError

#: Samples that are read at once, as parts of a second.
PART = 20


def hear(rate: int) -> Iterator[Piece]:
    """Yield endless pieces of sound from the computer's microphone; ``lost`` if the computer was too slow.

    Raises
    ------
    DependencyError
        When sounddevice, or the PortAudio that it needs, is not installed.
    PortError
        When there is no microphone, or it cannot give ``rate`` samples per second.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio is missing
        raise DependencyError(
            f"the computer's microphone needs the package sounddevice: {error}",
            "pip install 'tpsgd[microphone]' (Linux: apt install libportaudio2), or --from a folder of WAV files",
        ) from error
    try:
        with sounddevice.InputStream(samplerate=rate, channels=1, dtype="int16") as stream:
            while True:
                values, lost = stream.read(rate // PART)
                yield Piece(np.asarray(values, np.int16), lost=bool(lost))
    except sounddevice.PortAudioError as error:
        raise PortError(
            f"the microphone: {error}", "is one plugged in, and may programs use it? If not, record --from a folder"
        ) from error
