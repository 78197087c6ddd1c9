/* Rows for a chip with one load and one multiplication at a time: RISC-V, Cortex-M3. */

enum { ROWS = 4 };
typedef int16_t centred;

static inline int32_t single(const uint8_t *w, const centred *x, int32_t n, int32_t wide)
{
    int32_t sum = 0;
    for (int32_t j = 0; j < n; j++, w += wide)
        sum += *w * x[j];
    return sum;
}

#define STEP(k)                                                                                                        \
    {                                                                                                                  \
        const int32_t v = x[k];                                                                                        \
        s0 += a[(k)*wide] * v;                                                                                         \
        s1 += b[(k)*wide] * v;                                                                                         \
        s2 += c[(k)*wide] * v;                                                                                         \
        s3 += d[(k)*wide] * v;                                                                                         \
    }

/* Add the sums of four rows to ``got`` */
static inline void several(const uint8_t *a, int32_t row, const centred *x, int32_t n, int32_t wide, int32_t *got)
{
    const uint8_t *b = a + row, *c = b + row, *d = c + row;
    int32_t s0 = got[0], s1 = got[1], s2 = got[2], s3 = got[3];
    const centred *end = x + (n & ~3);
    for (; x < end; x += 4, a += 4 * wide, b += 4 * wide, c += 4 * wide, d += 4 * wide) {
        STEP(0) STEP(1) STEP(2) STEP(3)
    }
    for (end = x + (n & 3); x < end; x++, a += wide, b += wide, c += wide, d += wide)
        STEP(0)
    got[0] = s0, got[1] = s1, got[2] = s2, got[3] = s3;
}

#define CHANGE(k)                                                                                                      \
    {                                                                                                                  \
        const int32_t u = w[k] + ((e * x[k] + half) >> s);                                                          \
        w[k] = (uint16_t)u;                                                                                            \
        if ((uint32_t)(u - 256) > 65279)                                                                               \
            w[k] = saturate(u);                                                                                        \
    }

static inline void update_row(uint16_t *w, const centred *x, int32_t n, int32_t e, int32_t s)
{
    const int32_t half = 1 << (s - 1);
    const centred *end = x + (n & ~3);
    for (; x < end; x += 4, w += 4) {
        CHANGE(0) CHANGE(1) CHANGE(2) CHANGE(3)
    }
    for (end = x + (n & 3); x < end; x++, w++)
        CHANGE(0)
}
