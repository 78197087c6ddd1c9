"""Recordings of simple movements, as a table: the data of the tests that run commands."""

from __future__ import annotations

import csv
import math
import random


def write_motions(path, recordings, seed, classes=("slow", "fast", "still"), wearers=()):
    """Write a long CSV of up to four movements, each in its own posture: 20 readings of 2 channels per recording.

    With ``wearers`` a further column names one of them for each recording.
    """
    dice = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["recording", "label", "ax", "ay"] + ["wearer"] * bool(wearers))
        for number in range(recordings):
            kind = number % len(classes)
            speed, tilt, phase = (0.3, 1.2, 0.0, 0.0)[kind], (0.7, -0.7, 0.0, 1.4)[kind], dice.random() * 6
            wearer = [wearers[number // len(classes) % len(wearers)]] if wearers else []
            for t in range(20):
                noise = dice.gauss(0, 0.1), dice.gauss(0, 0.1)
                values = tilt + math.sin(speed * t + phase) * (kind < 2), math.cos(speed * t + phase) * (kind < 2)
                row = [f"{v + n:.4f}" for v, n in zip(values, noise, strict=True)]
                writer.writerow([f"r{number}", classes[kind], *row, *wearer])
