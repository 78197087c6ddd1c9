/* The trainer as a native module of MicroPython: the kernels of an engine, and the whole training step as one of them.
 * The arguments of the kernels are those of kernels_plain.py, which documents them.
 */

#define TPSGD_MODULE
#include "module.h"
#include "trainer.c"

/* Parameters of a layer, in the order of parameters.py */
enum { P_UNITS, P_INPUTS, P_AMPLITUDE, P_L1, P_LEAK, P_BASE };

static inline int32_t units_of(int32_t packed) { return packed >> 16 & 0x7FF; }
static inline int32_t inputs_of(int32_t packed) { return packed >> 5 & 0x7FF; }

KERNEL(load)
{
    UNUSED;
    const int32_t packed = INT(3);
    memcpy(BYTES(2) + (packed >> 16), BYTES(0) + INT(1), (size_t)(packed & 0xFFFF));
    return none(self);
}

KERNEL(max_pool)
{
    UNUSED;
    const int32_t packed = INT(3);
    max_pool(BYTES(0), BYTES(1) + INT(2), packed & 0xFFFF, packed >> 16);
    return none(self);
}

KERNEL(track_max)
{
    UNUSED;
    const int32_t packed = INT(3);
    track_max(BYTES(0), BYTES(1), HALVES(2), packed & 0x7FF, packed >> 11);
    return none(self);
}

KERNEL(copy)
{
    UNUSED;
    memcpy(BYTES(1) + INT(2), BYTES(0), (size_t)INT(3));
    return none(self);
}

KERNEL(reset_state)
{
    UNUSED;
    reset_state(BYTES(0), HALVES(1), (int32_t)WORDS(2)[P_UNITS]);
    return none(self);
}

KERNEL(forward)
{
    UNUSED;
    const int32_t packed = INT(2), m = units_of(packed), n = inputs_of(packed), s = packed & 15;
    if (packed & 16)
        tpsgd_forward_narrow(BYTES(0), BYTES(1), SUMS(3), m, n, s);
    else
        tpsgd_forward(HALVES(0), BYTES(1), SUMS(3), m, n, s);
    return none(self);
}

KERNEL(clamp)
{
    UNUSED;
    clamp_all(SUMS(0), BYTES(1), (int32_t)WORDS(2)[P_UNITS]);
    return none(self);
}

KERNEL(leak)
{
    UNUSED;
    const uint32_t *p = WORDS(3);
    leak(SUMS(0), HALVES(1), BYTES(2), (int32_t)p[P_UNITS], (int32_t)p[P_LEAK]);
    return none(self);
}

KERNEL(error)
{
    UNUSED;
    const uint32_t *p = WORDS(2);
    error(BYTES(0), SUMS(1), (int32_t)p[P_UNITS], (int32_t)p[P_AMPLITUDE], (int32_t)p[P_L1],
          p[P_BASE] + (uint32_t)INT(3));
    return none(self);
}

/* softmax(z, p, y, table) */
KERNEL(softmax)
{
    UNUSED;
    return small(softmax(BYTES(3), SUMS(0), (int32_t)WORDS(1)[P_UNITS], INT(2)));
}

KERNEL(update)
{
    UNUSED;
    const int32_t packed = INT(2);
    tpsgd_update(HALVES(0), BYTES(1), SUMS(3), units_of(packed), inputs_of(packed), packed & 15);
    return none(self);
}

KERNEL(backward)
{
    UNUSED;
    const int32_t packed = INT(2), r = packed >> 27;
    tpsgd_backward(HALVES(0), BYTES(1), SUMS(3), units_of(packed), inputs_of(packed), packed & 15, r,
                   packed & 16 ? 1 << r >> 1 : 0);
    return none(self);
}

KERNEL(masked_error)
{
    UNUSED;
    const int32_t packed = INT(3);
    masked_error(BYTES(0) + (packed & 0xFFFF), SUMS(1), (int32_t)WORDS(2)[P_UNITS], packed >> 16);
    return none(self);
}

KERNEL(accumulate)
{
    UNUSED;
    const int32_t packed = INT(3);
    accumulate(BYTES(0) + (packed >> 16), BYTES(1) + INT(2), packed & 0xFFFF);
    return none(self);
}

KERNEL(flush)
{
    UNUSED;
    const int32_t packed = INT(3);
    flush(BYTES(0) + INT(1), BYTES(2) + (packed >> 11), packed & 0x7FF);
    return none(self);
}

KERNEL(segment_max)
{
    UNUSED;
    const int32_t packed = INT(3), j = packed >> 11 & 0x7FF;
    segment_max(SUMS(0), BYTES(1) + j, BYTES(2) + j, packed & 0x7FF, packed >> 22);
    return none(self);
}

KERNEL(segment_error)
{
    UNUSED;
    const int32_t packed = INT(3), j = packed >> 11 & 0x7FF;
    return small(segment_error(BYTES(0) + j, BYTES(1) + j, SUMS(2), packed & 0x7FF, packed >> 22));
}

KERNEL(draw)
{
    UNUSED;
    return small(draw(WORDS(0), INT(1)));
}

/* distance(a, b, n), see distance.py */
KERNEL(distance)
{
    UNUSED;
    const uint8_t *a = BYTES(0), *b = BYTES(1);
    int32_t sum = 0;
    for (int32_t n = INT(2); n; n--) {
        const int32_t d = *a++ - *b++;
        sum += d < 0 ? -d : d;
    }
    return small(sum);
}

/* run(description, y, what): the whole step; return predicted << 8 | p_y */
KERNEL(run)
{
    UNUSED;
    return small(run((const tpsgd_network *)BYTES(0), INT(1), INT(2)));
}

/* address(buffer): where its bytes lie, on some boards above what a small integer holds */
KERNEL(address)
{
    UNUSED;
    return ((mp_word(*)(mp_word, mp_word))functions_of(self)[NATIVE_TO_OBJECT])((mp_word)BYTES(0), UNSIGNED);
}

/* layout(): the sizes that describe.py must know, as ``tpsgd_layout`` on the host */
KERNEL(layout)
{
    UNUSED;
    (void)self, (void)args;
    return small((intptr_t)(offsetof(tpsgd_network, layer) << 16 | sizeof(tpsgd_layer)));
}
