"""Estimate the wear of a board's flash by checkpoints."""

from __future__ import annotations

from tpsgd.checkpoint import HEADER_SIZE
from tpsgd_host.model.modelfile import Model

#: Bytes that flash erases at once, and how many times it can do so before it may fail, on common boards.
BLOCK, CYCLES = 4096, 100_000


def checkpoint_bytes(model: Model) -> int:
    """Return the size of a checkpoint: header, weights of the layers that learn, CRC (SPEC 3)."""
    trained = (
        w for layer, w in zip(model.layers, model.weights, strict=True) if not layer.frozen and any(layer.shifts)
    )
    return int(HEADER_SIZE) + sum(w.nbytes for w in trained) + 4


def wear_note(model: Model, every: int, total: int) -> str:
    """Describe the wear by a checkpoint every ``every`` of ``total`` samples, if it always hits the same blocks."""
    size = checkpoint_bytes(model)
    writes = 1 + (total // every if every else 0)
    blocks = -(-size // BLOCK)
    when = f"every {every:,} samples and at the end" if every else "at the end only"
    return (
        f"checkpoints {when}: {writes:,} of {size:,} bytes ({blocks} erase block{'s' if blocks > 1 else ''} of {BLOCK} "
        f"bytes), {writes / CYCLES:.3%} of the {CYCLES:,} cycles that flash endures"
    )
