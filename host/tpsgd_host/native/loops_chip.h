/* The inner loops for chips without vectors. Included by loops.h; the legend is in trainer.c.
 *
 * Inputs are centred in pieces on the stack, once for all rows, and several rows share what is loaded of them. A
 * weight's high byte loads unsigned, as hi + 128: sum (hi + 128)*x - 128*sum x is the same sum.
 */

enum { PIECE = 64 };

#if defined(__ARM_FEATURE_DSP)
#include "loops_dsp.h"
#else
#include "loops_rows.h"
#endif

/* Centre a piece of the inputs; return its sum */
static int32_t centre(const uint8_t *x, centred *to, int32_t n)
{
    int32_t sum = 0;
    for (int32_t j = 0; j < n; j++) {
        const int32_t v = x[j] - 128;
        to[j] = (centred)v;
        sum += v;
    }
    return sum;
}

/* z_i = (sum_j hi_ij * x_j) >> s; ``wide`` is 2, or 1 in a frozen layer: bytes of a weight */
static inline void sums(const uint8_t *w, const uint8_t *x, int32_t *z, int32_t m, int32_t n, int32_t s, int32_t wide)
{
    centred c[PIECE];
    const int32_t row = n * wide;
    w += wide - 1;
    for (int32_t begin = 0; begin < n; begin += PIECE) {
        const int32_t size = n - begin < PIECE ? n - begin : PIECE, last = begin + size == n;
        const int32_t correction = -128 * centre(x + begin, c, size);
        const uint8_t *v = w;
        int32_t i = 0, got[ROWS];
        for (; i < m; i += ROWS, v += ROWS * row) {
            const int32_t rows = m - i < ROWS ? m - i : ROWS;
            for (int32_t k = 0; k < rows; k++)
                got[k] = correction;
            if (rows == ROWS)
                several(v, row, c, size, wide, got);
            else
                for (int32_t k = 0; k < rows; k++)
                    got[k] += single(v + k * row, c, size, wide);
            for (int32_t k = 0; k < rows; k++) {
                const int32_t sum = begin ? z[i + k] + got[k] : got[k];
                z[i + k] = last ? sum >> s : sum;
            }
        }
        w += size * wide;
    }
}

API void tpsgd_forward(const uint16_t *w, const uint8_t *x, int32_t *z, int32_t m, int32_t n, int32_t s)
{
    sums((const uint8_t *)w, x, z, m, n, s, 2);
}

API void tpsgd_forward_narrow(const uint8_t *w, const uint8_t *x, int32_t *z, int32_t m, int32_t n, int32_t s)
{
    sums(w, x, z, m, n, s, 1);
}

/* v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)) */
API void tpsgd_update(uint16_t *w, const uint8_t *x, const int32_t *e, int32_t m, int32_t n, int32_t s)
{
    centred c[PIECE];
    for (int32_t begin = 0; begin < n; begin += PIECE) {
        const int32_t size = n - begin < PIECE ? n - begin : PIECE;
        uint16_t *row = w + begin;
        centre(x + begin, c, size);
        for (int32_t i = 0; i < m; i++, row += n)
            if (e[i])
                update_row(row, c, size, e[i], s);
    }
}

#if !defined(OWN_BACKWARD)
static inline int32_t changed(int32_t u, int32_t product, int32_t s)
{
    u += product >> s;
    return (uint32_t)(u - 256) <= 65279 ? u : saturate(u);
}

/* Update, and replace x with the feedback f, made with the old weights: two columns at a time.
 * f_j = clamp((first + sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127 */
API void tpsgd_backward(uint16_t *w, uint8_t *x, const int32_t *e, int32_t m, int32_t n, int32_t s, int32_t r,
                        int32_t first)
{
    const int32_t half = 1 << (s - 1), *end = e + m;
    for (const int32_t *p = e; p < end; p++)
        first -= 128 * *p;
    for (int32_t j = 0; j < n; j += 2) {
        const int32_t two = j + 1 < n, a = x[j] - 128, b = two ? x[j + 1] - 128 : 0;
        int32_t f = first, g = first;
        uint16_t *column = w + j;
        for (const int32_t *p = e; p < end; p++, column += n) {
            const int32_t i = *p;
            if (!i)
                continue;
            int32_t u = column[0];
            f += (u >> 8) * i;
            column[0] = (uint16_t)changed(u, i * a + half, s);
            if (!two)
                continue;
            u = column[1];
            g += (u >> 8) * i;
            column[1] = (uint16_t)changed(u, i * b + half, s);
        }
        if (j < n - 1) /* the bias stays */
            x[j] = a == 127 || a == -127 ? 128 : (uint8_t)(clamp(f >> r) + 128);
        if (j + 1 < n - 1)
            x[j + 1] = b == 127 || b == -127 ? 128 : (uint8_t)(clamp(g >> r) + 128);
    }
}
#endif
