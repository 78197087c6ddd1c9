"""Sounds that tests make."""

import wave

import numpy as np


def speech(rate, words, seed=1):
    """Return noise with bursts of a few harmonics, each half a second long, a second from onset to onset."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 60, rate * (words + 1))
    t = np.arange(rate // 2)
    for i in range(words):
        burst = sum(np.sin(2 * np.pi * t * h * (150 + 40 * i) / rate) for h in (1, 3, 7)) * 4000
        x[rate * i + rate // 2 : rate * i + rate] += burst * np.hanning(len(t))
    return np.clip(x, -32768, 32767).astype(np.int16)


def write_wav(path, pcm, rate=8000, width=2, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        x = np.repeat(pcm[:, None], channels, axis=1).astype(np.int64)
        data = (x << 8 * (width - 2) if width > 1 else (x >> 8) + 128).astype("<i8").tobytes()
        file.writeframes(b"".join(data[i : i + width] for i in range(0, len(data), 8)))
