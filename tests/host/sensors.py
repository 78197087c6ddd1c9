"""Models with a front end, and what their sensors give."""

from __future__ import annotations

import numpy as np

SOUND = """
[data]
steps = 20
[frontend]
kind = "logmel"
[[layer]]
kind = "temporal"
units = 4
[[layer]]
kind = "output"
"""
GESTURES = """
[data]
steps = 8
group = "take"
columns = ["x", "y", "z"]
[frontend]
kind = "motion"
counts = 1000
full_scale = 2000
[[layer]]
kind = "temporal"
units = 4
[[layer]]
kind = "output"
"""


def write_gestures(path, count=4):
    rng = np.random.default_rng(3)
    rows = ["label,take,x,y,z"]
    for take in range(count):
        t = np.linspace(0, 2 * np.pi * (1 + take % 2), 60)
        xyz = np.stack([np.sin(t), np.cos(t) - 1, 0.8 * np.sin(2 * t) + 1], axis=1) + rng.normal(0, 0.01, (60, 3))
        rows += [f"{'ab'[take % 2]},{take},{x:.4f},{y:.4f},{z:.4f}" for x, y, z in xyz]
    path.write_text("\n".join(rows) + "\n")
