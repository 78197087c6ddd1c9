"""A program of its own that speaks words into WAV files with eSpeak NG; it imports nothing of this package.

python espeak.py < LIST

LIST is JSON: ``{"rate": 8000, "words": [{"path", "text", "voice", "speed", "pitch", "noise", "seed"}, ...]}``. eSpeak
NG is licensed under the GPL 3 and comes with the package espeakng-loader, which must be installed. Nothing else of
tpsgd loads it.
"""

from __future__ import annotations

import ctypes
import json
import math
import sys
import wave
from typing import Any

import numpy as np
import numpy.typing as npt

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to a callback
DO_NOT_EXIT = 0x8000
SPEED, PITCH = 1, 3  # espeak_PARAMETER
UTF8 = 1
QUIET = 0.02  # of the loudest sample: what is quieter at both ends is cut off
MARGIN = 0.03  # seconds that stay there
LOUDNESS = 9000  # of the loudest sample

Floats = npt.NDArray[np.float64]

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Synthesizer:
    """eSpeak NG, as a function from a text to samples."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self._parts: list[npt.NDArray[np.int16]] = []
        self._callback = _CALLBACK(self._take)
        path = espeakng_loader.get_data_path().encode()
        self.rate = int(self._library.espeak_Initialize(SYNCHRONOUS, 0, path, DO_NOT_EXIT))
        if self.rate <= 0:
            raise SystemExit(f"eSpeak NG does not start with its data in {path.decode()}")
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, samples: Any, count: int, _events: object) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, text: str, voice: str, speed: int, pitch: int) -> Floats:
        """Return a text spoken by a voice, shape (R,)."""
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise SystemExit(f"eSpeak NG has no voice {voice!r}")
        self._library.espeak_SetParameter(SPEED, speed, 0)
        self._library.espeak_SetParameter(PITCH, pitch, 0)
        self._parts = []
        raw = text.encode() + b"\0"
        self._library.espeak_Synth(raw, len(raw), 0, 0, 0, UTF8, None, None)
        self._library.espeak_Synchronize()
        if not self._parts:
            raise SystemExit(f"eSpeak NG says nothing for {text!r}")
        return np.concatenate(self._parts).astype(np.float64)


def trimmed(x: Floats, rate: int) -> Floats:
    """Return a word without the silence around it."""
    loud = np.flatnonzero(np.abs(x) > QUIET * np.abs(x).max())
    margin = round(MARGIN * rate)
    return x[max(0, loud[0] - margin) : loud[-1] + margin]


def resampled(x: Floats, rate: int, wanted: int) -> Floats:
    """Return a sound at a lower rate: its spectrum up to half of that."""
    part = rate // math.gcd(rate, wanted)  # so many samples become whole ones
    x = np.pad(x, (0, -len(x) % part))
    count = len(x) * wanted // rate
    result: Floats = np.fft.irfft(np.fft.rfft(x)[: count // 2 + 1], count) * (wanted / rate)
    return result


def main() -> None:
    """Write the files that the standard input names."""
    wanted = json.load(sys.stdin)
    rate = int(wanted["rate"])
    synthesizer = Synthesizer()
    for word in wanted["words"]:
        x = synthesizer.speak(word["text"], word["voice"], int(word["speed"]), int(word["pitch"]))
        x = resampled(trimmed(x, synthesizer.rate), synthesizer.rate, rate)
        x *= LOUDNESS / np.abs(x).max()
        x += np.random.default_rng(int(word["seed"])).normal(0, float(word["noise"]), len(x))
        with wave.open(word["path"], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(np.clip(np.round(x), -32768, 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
