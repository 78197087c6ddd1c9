"""Model files with prototypes, which campaigns cut off or damage."""

from __future__ import annotations

from dataclasses import replace

import base  # noqa: F401  (finds the helpers)
import cases
import numpy as np

from tpsgd_host.model.modelfile import parse_model
from tpsgd_host.model.prototypes import Prototypes
from tpsgd_host.model.surgery import with_learning


def known_bytes(case: int, way: str, variation: str = "motion") -> bytes:
    """Return the model file of a case of the shared tests, its body frozen, with a prototype of each class."""
    model = with_learning(parse_model(cases.model_bytes(case), "case"), 1)
    classes = len(model.classes)
    vectors = np.random.default_rng(case).integers(1, 256, (classes, model.layers[-1].inputs)).astype(np.uint8)
    known = Prototypes(vectors, np.arange(classes, dtype=np.uint8), (500,) * classes, way, variation)
    return replace(model, prototypes=known).to_bytes()
