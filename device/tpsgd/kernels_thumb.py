# ruff: noqa: D103, ARG001 - registers are arguments that only the assembler sees; it takes no docstrings
"""The engine in inline assembler, in instructions of a Cortex-M0. It allocates nothing. Legend as in ``kernels_plain``.

Here x and h are int32 words of signed values, so that one ldm fetches four of them. Three facts shape this file. Only
r4 to r7 and lr are saved for us: r12 and lr serve as spare registers, and the rest lives on the stack. A function
returns a small integer (0), because a larger one would be allocated. A conditional branch reaches 256 bytes.

Parameters are read at [p, 4*index]: 0 is M, 8 AMPLITUDE, 12 L1, 16 LEAK, 20 BASE. The assembler takes no names there.
Instructions without a mnemonic are ``data``:

    0xC8nn ldm   0xC0nn stm   0x98nn, 0x90nn ldr and str at [sp, 4*low byte]   0x45nn cmp with r12 or lr
    0xB0nn add sp
"""

from array import array

import micropython

from tpsgd.buffers import (  # noqa: F401 - an engine has its buffers, too: this one hands them on
    accumulators,
    matrix,
    positions,
    states,
    view,
)
from tpsgd.softmax import TABLE

NUMBER = 5
NAME = "thumb"

#: Old interpreters hand the assembler the address of a buffer only where it can be written.
_table = bytearray(TABLE)


def activations(n, over=None):
    """Return a buffer for ``n - 1`` activations (0 at first) and the bias."""
    x = array("i", bytes(4 * n))
    x[n - 1] = 127
    return x


# z_i = (sum_j hi_ij * x_j) >> shift, as sum (hi + 128)*x - 128*sum x: a byte loads unsigned with a constant offset.
# r0 weight, r1 input, r2 sum, r3-r6 four inputs, r7 one weight; r12 and lr end of the inputs in eights and in fours.
@micropython.asm_thumb
def forward(r0, r1, r2, r3):
    lsr(r5, r2, 16)
    lsl(r5, r5, 2)
    add(r5, r5, r3)  # end of z
    mov(r6, 15)
    and_(r6, r2)  # shift
    lsl(r7, r2, 16)
    lsr(r7, r7, 21)  # n
    lsr(r4, r7, 3)
    lsl(r4, r4, 5)
    add(r4, r4, r1)
    mov(r12, r4)
    lsr(r4, r7, 2)
    lsl(r4, r4, 4)
    add(r4, r4, r1)
    mov(lr, r4)
    lsl(r7, r7, 2)
    add(r7, r7, r1)  # end of x
    push({r1, r3, r5, r6, r7})
    mov(r4, 0)
    label(total)
    data(2, 0xC908)  # ldm r1!, {r3}
    sub(r4, r4, r3)
    cmp(r1, r7)
    bne(total)
    lsl(r4, r4, 7)  # -128*sum x
    mov(r5, 2)
    lsl(r2, r2, 27)
    bpl(wide)
    mov(r5, 1)
    label(wide)
    add(r0, r0, r5)
    sub(r0, 1)  # the high byte of the first weight
    push({r4, r5})  # stack: correction, stride, x, z, end of z, shift, end of x
    label(row)
    data(2, 0x9A00, 0x9B01, 0x9902)  # r2 = correction, r3 = stride, r1 = x
    cmp(r3, 1)
    beq(frozen)
    data(2, 0x4561)  # cmp r1, r12
    beq(four)
    label(eight)
    data(2, 0xC978)  # ldm r1!, {r3-r6}
    ldrb(r7, [r0, 0])
    mul(r7, r3)
    add(r2, r2, r7)
    ldrb(r7, [r0, 2])
    mul(r7, r4)
    add(r2, r2, r7)
    ldrb(r7, [r0, 4])
    mul(r7, r5)
    add(r2, r2, r7)
    ldrb(r7, [r0, 6])
    mul(r7, r6)
    add(r2, r2, r7)
    data(2, 0xC978)  # ldm r1!, {r3-r6}
    ldrb(r7, [r0, 8])
    mul(r7, r3)
    add(r2, r2, r7)
    ldrb(r7, [r0, 10])
    mul(r7, r4)
    add(r2, r2, r7)
    ldrb(r7, [r0, 12])
    mul(r7, r5)
    add(r2, r2, r7)
    ldrb(r7, [r0, 14])
    mul(r7, r6)
    add(r2, r2, r7)
    add(r0, 16)
    data(2, 0x4561)  # cmp r1, r12
    bne(eight)
    label(four)
    data(2, 0x4571)  # cmp r1, lr
    beq(rest)
    data(2, 0xC978)  # ldm r1!, {r3-r6}
    ldrb(r7, [r0, 0])
    mul(r7, r3)
    add(r2, r2, r7)
    ldrb(r7, [r0, 2])
    mul(r7, r4)
    add(r2, r2, r7)
    ldrb(r7, [r0, 4])
    mul(r7, r5)
    add(r2, r2, r7)
    ldrb(r7, [r0, 6])
    mul(r7, r6)
    add(r2, r2, r7)
    add(r0, 8)
    label(rest)
    data(2, 0x9C06, 0x9D01)  # r4 = end of x, r5 = stride
    b(check)
    label(one)
    data(2, 0xC908)  # ldm r1!, {r3}
    ldrb(r7, [r0, 0])
    mul(r7, r3)
    add(r2, r2, r7)
    add(r0, r0, r5)
    label(check)
    cmp(r1, r4)
    bne(one)
    data(2, 0x9C05, 0x9903)  # r4 = shift, r1 = z
    asr(r2, r4)
    data(2, 0xC104, 0x9103, 0x9C04)  # stm r1!, {r2}; z = r1; r4 = end of z
    cmp(r1, r4)
    bne(row)
    b(done)
    label(frozen)
    data(2, 0x4571)  # cmp r1, lr
    beq(rest)
    label(narrow)
    data(2, 0xC978)  # ldm r1!, {r3-r6}
    ldrb(r7, [r0, 0])
    mul(r7, r3)
    add(r2, r2, r7)
    ldrb(r7, [r0, 1])
    mul(r7, r4)
    add(r2, r2, r7)
    ldrb(r7, [r0, 2])
    mul(r7, r5)
    add(r2, r2, r7)
    ldrb(r7, [r0, 3])
    mul(r7, r6)
    add(r2, r2, r7)
    add(r0, 4)
    data(2, 0x4571)  # cmp r1, lr
    bne(narrow)
    b(rest)
    label(done)
    data(2, 0xB007)  # add sp, 28
    mov(r0, 0)


# v_ij = saturate(v_ij + ((e_i*x_j + half) >> shift)). A row without an error stays as it is. asr leaves the bit that
# ``half`` would carry in the carry flag, and adc adds it. 0 <= u - 256 <= 65279 is one unsigned comparison.
# r0 weight, r1 input, r2 error, r3 shift, r4 256, r5 and r6 two inputs, r7 a weight; r12 65279, lr end of the fours.
@micropython.asm_thumb
def update(r0, r1, r2, r3):
    lsr(r5, r2, 16)
    lsl(r5, r5, 2)
    add(r5, r5, r3)  # end of e
    lsl(r7, r2, 16)
    lsr(r7, r7, 21)  # n
    lsr(r4, r7, 2)
    lsl(r4, r4, 4)
    add(r4, r4, r1)
    mov(lr, r4)
    lsl(r6, r7, 1)  # bytes of a row
    lsl(r7, r7, 2)
    add(r7, r7, r1)  # end of x
    push({r1, r3, r5, r6, r7})  # stack: x, e, end of e, bytes of a row, end of x
    mov(r3, 15)
    and_(r3, r2)
    mov(r4, 255)
    lsl(r5, r4, 8)
    sub(r5, 1)
    mov(r12, r5)
    add(r4, 1)
    label(row)
    data(2, 0x9D01, 0xCD04, 0x9501)  # r5 = e; ldm r5!, {r2}; e = r5
    cmp(r2, 0)
    bne(go)
    data(2, 0x9D03)  # r5 = bytes of a row
    add(r0, r0, r5)
    b(end)
    label(go)
    data(2, 0x9900)  # r1 = x
    b(more)
    label(four)
    data(2, 0xC960)  # ldm r1!, {r5, r6}
    mul(r5, r2)
    asr(r5, r3)
    ldrh(r7, [r0, 0])
    adc(r5, r7)
    sub(r7, r5, r4)
    data(2, 0x4567)  # cmp r7, r12
    bhi(low1)
    label(in1)
    strh(r5, [r0, 0])
    mul(r6, r2)
    asr(r6, r3)
    ldrh(r7, [r0, 2])
    adc(r6, r7)
    sub(r7, r6, r4)
    data(2, 0x4567)  # cmp r7, r12
    bhi(low2)
    label(in2)
    strh(r6, [r0, 2])
    data(2, 0xC960)  # ldm r1!, {r5, r6}
    mul(r5, r2)
    asr(r5, r3)
    ldrh(r7, [r0, 4])
    adc(r5, r7)
    sub(r7, r5, r4)
    data(2, 0x4567)  # cmp r7, r12
    bhi(low3)
    label(in3)
    strh(r5, [r0, 4])
    mul(r6, r2)
    asr(r6, r3)
    ldrh(r7, [r0, 6])
    adc(r6, r7)
    sub(r7, r6, r4)
    data(2, 0x4567)  # cmp r7, r12
    bhi(low4)
    label(in4)
    strh(r6, [r0, 6])
    add(r0, 8)
    label(more)
    data(2, 0x4571)  # cmp r1, lr
    bne(four)
    data(2, 0x9E04)  # r6 = end of x
    b(check)
    label(one)
    data(2, 0xC920)  # ldm r1!, {r5}
    mul(r5, r2)
    asr(r5, r3)
    ldrh(r7, [r0, 0])
    adc(r5, r7)
    sub(r7, r5, r4)
    data(2, 0x4567)  # cmp r7, r12
    bhi(low)
    label(in0)
    strh(r5, [r0, 0])
    add(r0, 2)
    label(check)
    cmp(r1, r6)
    bne(one)
    label(end)
    data(2, 0x9D01, 0x9E02)  # r5 = e, r6 = end of e
    cmp(r5, r6)
    bne(row)
    b(done)
    # out of range: 256 for a negative u - 256, all ones for another
    label(low)
    asr(r5, r7, 31)
    mvn(r5, r5)
    orr(r5, r4)
    b(in0)
    label(low1)
    asr(r5, r7, 31)
    mvn(r5, r5)
    orr(r5, r4)
    b(in1)
    label(low2)
    asr(r6, r7, 31)
    mvn(r6, r6)
    orr(r6, r4)
    b(in2)
    label(low3)
    asr(r5, r7, 31)
    mvn(r5, r5)
    orr(r5, r4)
    b(in3)
    label(low4)
    asr(r6, r7, 31)
    mvn(r6, r6)
    orr(r6, r4)
    b(in4)
    label(done)
    data(2, 0xB005)  # add sp, 20
    mov(r0, 0)


# Column by column: the feedback to the layer before, made with the old weights, and the update as above.
# r0 weight, r1 shift, r2 its high byte, r3 error, r4 input, r5 sum, r6 error and product, r7 weight; r12 bytes of a
# row, lr end of the errors.
@micropython.asm_thumb
def backward(r0, r1, r2, r3):
    lsl(r5, r2, 16)
    lsr(r5, r5, 21)  # n
    lsl(r6, r5, 1)
    mov(r12, r6)
    sub(r5, 1)
    lsl(r5, r5, 2)
    add(r5, r5, r1)  # the bias
    lsl(r6, r2, 5)
    lsr(r6, r6, 21)  # m
    lsl(r6, r6, 2)
    add(r6, r6, r3)
    mov(lr, r6)
    mov(r7, 16)
    and_(r7, r2)  # 16 where the feedback is rounded to nearest
    lsr(r6, r2, 27)  # r
    lsl(r7, r6)
    lsr(r7, r7, 5)  # what a sum begins with
    push({r0, r1, r3, r5, r6, r7})  # stack: first weight, x, e, the bias, r, begin
    mov(r1, 15)
    and_(r1, r2)
    label(row)
    data(2, 0x9800, 0x9E01, 0x9B02)  # r0 = first weight, r6 = x, r3 = e
    ldr(r4, [r6, 0])
    data(2, 0x9D05)  # r5 = begin
    label(one)
    data(2, 0xCB40)  # ldm r3!, {r6}
    cmp(r6, 0)
    beq(more)
    ldrh(r7, [r0, 0])
    lsr(r2, r7, 8)
    sub(r2, 128)
    mul(r2, r6)
    add(r5, r5, r2)
    mul(r6, r4)
    asr(r6, r1)
    adc(r6, r7)
    asr(r7, r6, 8)
    sub(r7, 1)
    cmp(r7, 254)
    bhi(low)
    label(in0)
    strh(r6, [r0, 0])
    label(more)
    data(2, 0x4460, 0x4573)  # add r0, r12; cmp r3, lr
    bne(one)
    data(2, 0x9E01, 0x9F03)  # r6 = x, r7 = the bias
    cmp(r6, r7)
    beq(done)
    data(2, 0x9A04)  # r2 = r
    asr(r5, r2)
    mov(r2, 127)
    cmp(r5, r2)
    ble(go)
    mov(r5, r2)
    label(go)
    cmp(r4, r2)
    beq(zero)
    neg(r2, r2)
    cmp(r5, r2)
    bge(wide)
    mov(r5, r2)
    label(wide)
    cmp(r4, r2)
    bne(end)
    label(zero)
    mov(r5, 0)
    label(end)
    data(2, 0xC620, 0x9601, 0x9800)  # stm r6!, {r5}; x = r6; r0 = first weight
    add(r0, 2)
    data(2, 0x9000)  # first weight = r0
    b(row)
    # out of range: 256 for a negative weight, all ones for another
    label(low)
    asr(r6, r7, 31)
    mvn(r6, r6)
    mov(r7, 1)
    lsl(r7, r7, 8)
    orr(r6, r7)
    b(in0)
    label(done)
    data(2, 0xB006)  # add sp, 24
    mov(r0, 0)


# masked_error(f, z, p, masked << 16 | j)
@micropython.asm_thumb
def masked_error(r0, r1, r2, r3):
    lsr(r6, r3, 16)
    lsl(r3, r3, 16)
    lsr(r3, r3, 14)
    add(r0, r0, r3)
    ldr(r2, [r2, 0])
    mov(r7, 127)
    neg(r7, r7)
    label(row)
    data(2, 0xC810)  # ldm r0!, {r4}
    cmp(r6, 0)
    beq(go)
    ldr(r5, [r1, 0])
    cmp(r5, 127)
    bge(zero)
    cmp(r5, r7)
    bgt(go)
    label(zero)
    mov(r4, 0)
    label(go)
    data(2, 0xC110)  # stm r1!, {r4}
    sub(r2, 1)
    bne(row)
    mov(r0, 0)


# load(sample, i, x, j << 16 | n): stored activations become words, from word j of x on.
@micropython.asm_thumb
def load(r0, r1, r2, r3):
    add(r0, r0, r1)
    lsr(r4, r3, 14)  # 4*j: n is below 2**14
    add(r2, r2, r4)
    lsl(r3, r3, 16)
    lsr(r3, r3, 16)
    label(row)
    ldrb(r4, [r0, 0])
    sub(r4, 128)
    data(2, 0xC210)  # stm r2!, {r4}
    add(r0, 1)
    sub(r3, 1)
    bne(row)
    mov(r0, 0)


# max_pool(a, map, j, fresh << 16 | m): the largest of words and stored activations.
@micropython.asm_thumb
def max_pool(r0, r1, r2, r3):
    add(r1, r1, r2)
    lsr(r6, r3, 16)
    lsl(r3, r3, 16)
    lsr(r3, r3, 16)
    label(row)
    data(2, 0xC810)  # ldm r0!, {r4}
    add(r4, 128)
    cmp(r6, 0)
    bne(go)
    ldrb(r5, [r1, 0])
    cmp(r4, r5)
    ble(low)
    label(go)
    strb(r4, [r1, 0])
    label(low)
    add(r1, 1)
    sub(r3, 1)
    bne(row)
    mov(r0, 0)


# track_max(a, top, where, at << 11 | m)
@micropython.asm_thumb
def track_max(r0, r1, r2, r3):
    lsr(r6, r3, 11)
    lsl(r3, r3, 21)
    lsr(r3, r3, 21)
    label(row)
    data(2, 0xC810)  # ldm r0!, {r4}
    ldr(r5, [r1, 0])
    cmp(r4, r5)
    blt(low)
    str(r4, [r1, 0])
    strh(r6, [r2, 0])
    label(low)
    add(r1, 4)
    add(r2, 2)
    sub(r3, 1)
    bne(row)
    mov(r0, 0)


# copy(a, x, j, n)
@micropython.asm_thumb
def copy(r0, r1, r2, r3):
    lsl(r2, r2, 2)
    add(r1, r1, r2)
    label(row)
    data(2, 0xC810, 0xC110)  # ldm r0!, {r4}; stm r1!, {r4}
    sub(r3, 1)
    bne(row)
    mov(r0, 0)


# reset_state(h, h16, p)
@micropython.asm_thumb
def reset_state(r0, r1, r2):
    ldr(r2, [r2, 0])
    mov(r3, 0)
    mov(r4, 128)
    lsl(r4, r4, 8)
    label(row)
    data(2, 0xC008)  # stm r0!, {r3}
    strh(r4, [r1, 0])
    add(r1, 2)
    sub(r2, 1)
    bne(row)
    mov(r0, 0)


# clamp(z, a, p)
@micropython.asm_thumb
def clamp(r0, r1, r2):
    ldr(r2, [r2, 0])
    mov(r4, 127)
    neg(r5, r4)
    label(row)
    data(2, 0xC808)  # ldm r0!, {r3}
    cmp(r3, r4)
    ble(low)
    mov(r3, 127)
    label(low)
    cmp(r3, r5)
    bge(end)
    mov(r3, r5)
    label(end)
    data(2, 0xC108)  # stm r1!, {r3}
    sub(r2, 1)
    bne(row)
    mov(r0, 0)


# leak(z, h16, h, p): h16 += (256*clamp(z) - h16) >> k; h = (h16 + 128) >> 8
@micropython.asm_thumb
def leak(r0, r1, r2, r3):
    ldr(r4, [r3, 0])
    lsl(r4, r4, 2)
    add(r4, r4, r0)
    mov(r12, r4)  # end of z
    ldr(r3, [r3, 16])
    mov(r6, 127)
    neg(r6, r6)
    mov(r7, 128)
    lsl(r7, r7, 8)
    label(row)
    data(2, 0xC810)  # ldm r0!, {r4}
    cmp(r4, 127)
    ble(low)
    mov(r4, 127)
    label(low)
    cmp(r4, r6)
    bge(end)
    mov(r4, r6)
    label(end)
    lsl(r4, r4, 8)
    add(r4, r4, r7)
    ldrh(r5, [r1, 0])
    sub(r4, r4, r5)
    asr(r4, r3)
    add(r5, r5, r4)
    strh(r5, [r1, 0])
    add(r1, 2)
    add(r5, 128)
    lsr(r5, r5, 8)
    sub(r5, 128)
    data(2, 0xC220, 0x4560)  # stm r2!, {r5}; cmp r0, r12
    bne(row)
    mov(r0, 0)


# error(a, e, p, column): the targets of ``column`` regenerated from the layer's seed.
# r2 amplitude, r3 generator, r4 unit, r5 its target's bits, r6 constant of l1, r7 error; r12 units
@micropython.asm_thumb
def error(r0, r1, r2, r3):
    ldr(r4, [r2, 20])
    add(r3, r3, r4)
    mov(r4, 0x04)
    lsl(r4, r4, 8)
    add(r4, 0x5D)
    lsl(r4, r4, 8)
    add(r4, 0x9F)
    lsl(r4, r4, 8)
    add(r4, 0x3B)
    lsr(r5, r3, 16)
    eor(r3, r5)
    mul(r3, r4)
    lsr(r5, r3, 16)
    eor(r3, r5)
    mul(r3, r4)
    lsr(r5, r3, 16)
    eor(r3, r5)
    bne(go)
    mov(r3, 1)
    label(go)
    ldr(r4, [r2, 0])
    mov(r12, r4)
    ldr(r6, [r2, 12])
    ldr(r2, [r2, 8])
    mov(r4, 0)
    label(row)
    lsl(r7, r4, 27)
    bne(one)
    lsl(r7, r3, 13)
    eor(r3, r7)
    lsr(r7, r3, 17)
    eor(r3, r7)
    lsl(r7, r3, 5)
    eor(r3, r7)
    mov(r5, r3)
    label(one)
    data(2, 0xC880)  # ldm r0!, {r7}
    neg(r7, r7)
    lsr(r5, r5, 1)
    bcs(wide)
    sub(r7, r7, r2)
    b(check)
    label(wide)
    add(r7, r7, r2)
    label(check)
    cmp(r6, 0)
    beq(end)
    cmp(r7, 0)
    beq(end)
    blt(low)
    mov(r7, r6)
    b(end)
    label(low)
    neg(r7, r6)
    label(end)
    data(2, 0xC180)  # stm r1!, {r7}
    add(r4, 1)
    data(2, 0x4564)  # cmp r4, r12
    bne(row)
    mov(r0, 0)


def softmax(z, p, y):
    """Turn sums into errors 127*[i = y] - p_i and return ``predicted << 8 | p_y``."""
    return _softmax(z, p, y, _table)


# r0 sums, r1 units left, r2 unit; r12 class, lr units
@micropython.asm_thumb
def _softmax(r0, r1, r2, r3):
    mov(r12, r2)
    ldr(r1, [r1, 0])
    mov(lr, r1)
    push({r0, r3})
    ldr(r5, [r0, 0])  # r5 largest, r6 where
    mov(r2, 0)
    mov(r6, 0)
    label(row)
    data(2, 0xC810)  # ldm r0!, {r4}
    cmp(r4, r5)
    ble(low)
    mov(r5, r4)
    mov(r6, r2)
    label(low)
    add(r2, 1)
    cmp(r2, r1)
    bne(row)
    mov(r4, r12)
    cmp(r4, 255)
    bne(go)
    mov(r12, r6)
    label(go)
    pop({r0, r3})
    push({r0, r6})
    mov(r6, 0)  # sum of q
    label(one)
    ldr(r4, [r0, 0])
    sub(r4, r5, r4)
    asr(r4, r4, 1)
    mov(r7, 0)
    cmp(r4, 100)
    bge(end)
    add(r4, r4, r3)
    ldrb(r7, [r4, 0])
    label(end)
    add(r6, r6, r7)
    data(2, 0xC080)  # stm r0!, {r7}
    sub(r1, 1)
    bne(one)
    pop({r0, r1})  # r1 predicted
    lsl(r1, r1, 8)
    mov(r2, 0)
    label(four)
    ldr(r4, [r0, 0])
    lsl(r3, r4, 7)
    sub(r3, r3, r4)
    lsr(r4, r6, 1)
    add(r3, r3, r4)  # 127*q + half
    lsl(r4, r6, 7)
    mov(r5, 1)
    lsl(r5, r5, 25)  # seven bits of quotient push this one out
    label(more)
    lsr(r4, r4, 1)
    cmp(r3, r4)
    bcc(rest)
    sub(r3, r3, r4)
    label(rest)
    adc(r5, r5)
    bcc(more)
    neg(r4, r5)
    data(2, 0x4562)  # cmp r2, r12
    bne(wide)
    orr(r1, r5)
    add(r4, 127)
    label(wide)
    data(2, 0xC010)  # stm r0!, {r4}
    add(r2, 1)
    data(2, 0x4572)  # cmp r2, lr
    bne(four)
    mov(r0, r1)


# draw(state, n): advance the generator and return a number in 0..n-1.
@micropython.asm_thumb
def draw(r0, r1):
    ldr(r3, [r0, 0])
    lsl(r2, r3, 13)
    eor(r3, r2)
    lsr(r2, r3, 17)
    eor(r3, r2)
    lsl(r2, r3, 5)
    eor(r3, r2)
    str(r3, [r0, 0])
    lsr(r0, r3, 16)
    mul(r0, r1)
    lsr(r0, r0, 16)


# accumulate(x, ring, j, i << 16 | n): add words, from word i of x on, to stored activations, clamped.
@micropython.asm_thumb
def accumulate(r0, r1, r2, r3):
    add(r1, r1, r2)
    lsr(r4, r3, 16)
    lsl(r4, r4, 2)
    add(r0, r0, r4)
    lsl(r3, r3, 16)
    lsr(r3, r3, 16)
    mov(r6, 255)
    label(row)
    data(2, 0xC810)  # ldm r0!, {r4}
    ldrb(r5, [r1, 0])
    add(r4, r4, r5)
    bgt(low)
    mov(r4, 1)
    label(low)
    cmp(r4, r6)
    ble(end)
    mov(r4, r6)
    label(end)
    strb(r4, [r1, 0])
    add(r1, 1)
    sub(r3, 1)
    bne(row)
    mov(r0, 0)


# flush(ring, j, target, i << 11 | m): move stored activations, and leave zeros.
@micropython.asm_thumb
def flush(r0, r1, r2, r3):
    add(r0, r0, r1)
    lsr(r4, r3, 11)
    add(r2, r2, r4)
    lsl(r3, r3, 21)
    lsr(r3, r3, 21)
    mov(r5, 128)
    label(row)
    ldrb(r4, [r0, 0])
    strb(r4, [r2, 0])
    strb(r5, [r0, 0])
    add(r0, 1)
    add(r2, 1)
    sub(r3, 1)
    bne(row)
    mov(r0, 0)


# segment_max(z, largest, places, place << 22 | j << 11 | m): clamp the sums, keep the largest and its place.
# r0 sum, r1 largest, r2 place of it, r3 units left, r4 this place, r6 -127
@micropython.asm_thumb
def segment_max(r0, r1, r2, r3):
    lsr(r4, r3, 22)
    lsl(r5, r3, 10)
    lsr(r5, r5, 21)  # j
    add(r2, r2, r5)
    lsl(r5, r5, 2)
    add(r1, r1, r5)
    lsl(r3, r3, 21)
    lsr(r3, r3, 21)
    mov(r6, 127)
    neg(r6, r6)
    label(row)
    data(2, 0xC820)  # ldm r0!, {r5}
    cmp(r5, 127)
    ble(low)
    mov(r5, 127)
    label(low)
    cmp(r5, r6)
    bge(end)
    mov(r5, r6)
    label(end)
    cmp(r4, 0)
    beq(go)
    ldr(r7, [r1, 0])
    cmp(r5, r7)
    ble(rest)
    label(go)
    str(r5, [r1, 0])
    strb(r4, [r2, 0])
    label(rest)
    add(r1, 4)
    add(r2, 1)
    sub(r3, 1)
    bne(row)
    mov(r0, 0)


# segment_error(f, places, z, place << 22 | j << 11 | m): the feedback of the filters whose place this is
# r0 feedback, r1 place of it, r2 error, r3 units left, r4 this place, r7 all errors
@micropython.asm_thumb
def segment_error(r0, r1, r2, r3):
    lsr(r4, r3, 22)
    lsl(r5, r3, 10)
    lsr(r5, r5, 21)  # j
    add(r1, r1, r5)
    lsl(r5, r5, 2)
    add(r0, r0, r5)
    lsl(r3, r3, 21)
    lsr(r3, r3, 21)
    mov(r7, 0)
    label(row)
    data(2, 0xC820)  # ldm r0!, {r5}
    ldrb(r6, [r1, 0])
    cmp(r6, r4)
    beq(go)
    mov(r5, 0)
    label(go)
    data(2, 0xC220)  # stm r2!, {r5}
    orr(r7, r5)
    add(r1, 1)
    sub(r3, 1)
    bne(row)
    mov(r0, r7)
