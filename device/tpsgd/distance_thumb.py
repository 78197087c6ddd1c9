# ruff: noqa: D103 - the assembler takes no docstrings
"""The distance of two vectors of stored activations in instructions of a Cortex-M0; see ``distance``."""

import micropython


# r0 and r1 the vectors, r2 bytes left, r3 the sum; r4 and r5 two bytes, r6 the sign of their difference.
@micropython.asm_thumb
def distance(r0, r1, r2):
    mov(r3, 0)
    b(check)
    label(one)
    ldrb(r4, [r0, 0])
    ldrb(r5, [r1, 0])
    sub(r4, r4, r5)
    asr(r6, r4, 31)
    eor(r4, r6)
    sub(r4, r4, r6)
    add(r3, r3, r4)
    add(r0, 1)
    add(r1, 1)
    sub(r2, 1)
    label(check)
    cmp(r2, 0)
    bne(one)
    mov(r0, r3)
