/* Rows for a Cortex-M with the DSP extension (M4, M7, M33): two weights and two inputs at a time. */

enum { ROWS = 4 };
typedef int16_t centred;

typedef struct __attribute__((packed, may_alias)) {
    uint32_t v;
} tpsgd_two; /* they need not lie at a multiple of four */

static inline uint32_t two(const void *at) { return ((const tpsgd_two *)at)->v; }

/* sum + the products of two inputs and the high bytes of two weights. Volatile: a compiler that loads all weights first
 * runs out of registers. */
static inline int32_t add_two(const uint8_t *w, uint32_t x, int32_t sum)
{
    uint32_t high;
    __asm__ volatile("ldr %0, %3\n\tuxtb16 %0, %0, ror #8\n\tsmlad %1, %0, %2, %1"
                     : "=&r"(high), "+r"(sum)
                     : "r"(x), "m"(*(const tpsgd_two *)w));
    return sum;
}

static inline int32_t single(const uint8_t *w, const centred *x, int32_t n, int32_t wide)
{
    int32_t sum = 0;
    for (; wide == 2 && n > 1; n -= 2, w += 4, x += 2)
        sum = add_two(w - 1, two(x), sum);
    for (; n > 0; n--, w += wide)
        sum += *w * *x++;
    return sum;
}

#define PAIR(k)                                                                                                        \
    {                                                                                                                  \
        const uint32_t v = two(x + (k));                                                                               \
        s0 = add_two(a + 2 * (k) - 1, v, s0);                                                                     \
        s1 = add_two(b + 2 * (k) - 1, v, s1);                                                                     \
        s2 = add_two(c + 2 * (k) - 1, v, s2);                                                                     \
        s3 = add_two(d + 2 * (k) - 1, v, s3);                                                                     \
    }

/* Add the sums of four rows to ``got`` */
static inline void several(const uint8_t *a, int32_t row, const centred *x, int32_t n, int32_t wide, int32_t *got)
{
    const uint8_t *b = a + row, *c = b + row, *d = c + row;
    int32_t s0 = got[0], s1 = got[1], s2 = got[2], s3 = got[3];
    const centred *end = x + (wide == 2 ? n & ~7 : 0);
    n -= (int32_t)(end - x);
    for (; x < end; x += 8, a += 16, b += 16, c += 16, d += 16) {
        PAIR(0) PAIR(2) PAIR(4) PAIR(6)
    }
    end = x + (wide == 2 ? n & ~1 : 0);
    n -= (int32_t)(end - x);
    for (; x < end; x += 2, a += 4, b += 4, c += 4, d += 4)
        PAIR(0)
    for (end = x + n; x < end; x++, a += wide, b += wide, c += wide, d += wide) {
        const int32_t v = *x;
        s0 += *a * v;
        s1 += *b * v;
        s2 += *c * v;
        s3 += *d * v;
    }
    got[0] = s0, got[1] = s1, got[2] = s2, got[3] = s3;
}

static inline uint32_t in_range(int32_t u) { return (uint32_t)(u - 256) > 65279 ? saturate(u) : (uint32_t)u; }

static inline void update_row(uint16_t *w, const centred *x, int32_t n, int32_t e, int32_t s)
{
    const int32_t half = 1 << (s - 1);
    const centred *end = x + (n & ~1);
    for (; x < end; x += 2, w += 2) {
        const uint32_t v = two(x), old = two(w);
        int32_t p, q;
        __asm__("smlabb %0, %1, %2, %3" : "=r"(p) : "r"(e), "r"(v), "r"(half));
        __asm__("smlabt %0, %1, %2, %3" : "=r"(q) : "r"(e), "r"(v), "r"(half));
        p = (int32_t)(old & 0xFFFF) + (p >> s);
        q = (int32_t)(old >> 16) + (q >> s);
        ((tpsgd_two *)w)->v = in_range(p) | in_range(q) << 16;
    }
    if (n & 1)
        *w = (uint16_t)in_range(*w + ((e * *x + half) >> s));
}
