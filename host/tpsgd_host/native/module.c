/* The trainer as a native module of MicroPython: the kernels of an engine, and the whole training step as one of them.
 *
 * build.py compiles this file alone, links it to a piece of code that runs at any address, and writes the .mpy. The
 * code begins with ``tpsgd_module``, which makes a function object of each function listed here by KERNEL. Where they
 * lie in the code stands in the file's second constant, in the order of their names: uint16 each, 0 at the end.
 */

#define TPSGD_MODULE
#include "micropython.h"
#include "trainer.c"

/* There is no library. A compiler calls these two for structures and loops as well. */

typedef uint32_t __attribute__((may_alias)) any_word;

__attribute__((noinline)) void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (!(((uintptr_t)to | (uintptr_t)from) & 3))
        for (; n >= 4; n -= 4, t += 4, f += 4)
            *(any_word *)t = *(const any_word *)f;
    while (n--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t n)
{
    uint8_t *t = to;
    while (n--)
        *t++ = (uint8_t)value;
    return to;
}

mp_word tpsgd_module(const mp_word *self, size_t count, size_t keywords, const mp_word *args)
    __attribute__((section(".text.begin"), used));

#if defined(__XTENSA__) /* constants lie before the function that takes them */
__asm__(".section .text.jump, \"ax\"\n\tj tpsgd_module\n\t.balign 4\n\t.text");
#endif

mp_word tpsgd_module(const mp_word *self, size_t count, size_t keywords, const mp_word *args)
{
    (void)count, (void)keywords, (void)args;
    const mp_word *functions = functions_of(self), *context = context_of(self);
    const uint16_t *names = (const uint16_t *)context[CONTEXT_NAMES];
    const uint8_t *offsets = (const uint8_t *)argument(self, constants_of(self)[1]);
    const uint8_t *code = (const uint8_t *)self[FUNCTION_CODE];
    mp_function_record record = {.kind = NATIVE_FUNCTION, .children = code};
    mp_word (*swap)(mp_word) = (mp_word(*)(mp_word))functions[SWAP_GLOBALS];
    const mp_word before = swap(context[CONTEXT_GLOBALS]);
    for (size_t i = 0; offsets[2 * i] | offsets[2 * i + 1]; i++) {
        record.code = code + (offsets[2 * i] | offsets[2 * i + 1] << 8);
        const mp_word made = ((mp_word(*)(const void *, const void *, const void *))functions[MAKE_FUNCTION])(
            &record, context, NULL);
        ((void (*)(size_t, mp_word))functions[STORE_GLOBAL])(names[i + 1], made); /* the first is the file's name */
    }
    swap(before);
    return none(self);
}

/* Functions for Python. The arguments are those of kernels_plain.py, which documents them; nobody checks their number.
 * INT and BYTES and the like read argument i. */

#define KERNEL(name)                                                                                                   \
    mp_word tpsgd_py_##name(const mp_word *self, size_t count, size_t keywords, const mp_word *args)                   \
        __attribute__((used));                                                                                         \
    mp_word tpsgd_py_##name(const mp_word *self, size_t count, size_t keywords, const mp_word *args)

#define UNUSED (void)count, (void)keywords
#define INT(i) ((int32_t)argument(self, args[i]))
#define BYTES(i) ((uint8_t *)argument(self, args[i]))
#define SUMS(i) ((int32_t *)argument(self, args[i]))
#define HALVES(i) ((uint16_t *)argument(self, args[i]))
#define WORDS(i) ((uint32_t *)argument(self, args[i]))

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

/* run(description, y, what): the whole step; return predicted << 8 | p_y */
KERNEL(run)
{
    UNUSED;
    return small(run((const tpsgd_network *)BYTES(0), INT(1), INT(2)));
}

/* address(buffer): where its bytes lie */
KERNEL(address)
{
    UNUSED;
    return small((intptr_t)BYTES(0));
}

/* layout(): the sizes that describe.py must know, as ``tpsgd_layout`` on the host */
KERNEL(layout)
{
    UNUSED;
    (void)self, (void)args;
    return small((intptr_t)(offsetof(tpsgd_network, layer) << 16 | sizeof(tpsgd_layer)));
}
