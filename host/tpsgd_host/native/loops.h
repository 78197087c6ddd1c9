/* The inner loops of the trainer, by instruction set. Included by trainer.c, which has the legend.
 *
 * Inputs are centred in pieces on the stack, once for all rows, and several rows share what is loaded of them. The
 * loops here suit a compiler that vectorizes; those for chips follow, each in its own file.
 */

#include "divide.h"

#if defined(__XTENSA__)
static inline int32_t clamp(int32_t v) { return larger(smaller(v, 127), -127); }
#elif defined(LOOPS) /* one comparison where most are in range; a vectorizing compiler has instructions for two */
static inline int32_t clamp(int32_t v)
{
    if (__builtin_expect((uint32_t)(v + 127) > 254, 0))
        v = v < 0 ? -127 : 127;
    return v;
}
#else
static inline int32_t clamp(int32_t v) { return v > 127 ? 127 : v < -127 ? -127 : v; }
#endif

static inline uint16_t saturate(int32_t u) { return (uint16_t)(u < 256 ? 256 : u > 65535 ? 65535 : u); }

#if defined(LOOPS)
#include LOOPS
#else

/* Forward (SPEC 1.2): z_i = (sum_j hi_ij * x_j) >> s */

API void tpsgd_forward(const uint16_t *restrict w, const uint8_t *restrict x, int32_t *restrict z, int32_t m, int32_t n,
                       int32_t s)
{
    for (int32_t i = 0; i < m; i++, w += n) {
        int32_t sum = 0;
        for (int32_t j = 0; j < n; j++)
            sum += (int16_t)((w[j] >> 8) - 128) * (int16_t)(x[j] - 128);
        z[i] = sum >> s;
    }
}

API void tpsgd_forward_narrow(const uint8_t *restrict w, const uint8_t *restrict x, int32_t *restrict z, int32_t m,
                           int32_t n, int32_t s)
{
    for (int32_t i = 0; i < m; i++, w += n) {
        int32_t sum = 0;
        for (int32_t j = 0; j < n; j++)
            sum += (int16_t)(w[j] - 128) * (int16_t)(x[j] - 128);
        z[i] = sum >> s;
    }
}

/* Update (SPEC 1.3): v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)) */

API void tpsgd_update(uint16_t *restrict w, const uint8_t *restrict x, const int32_t *restrict e, int32_t m, int32_t n,
                      int32_t s)
{
    const int32_t half = 1 << (s - 1);
    for (int32_t i = 0; i < m; i++, w += n) {
        const int16_t error = (int16_t)e[i];
        if (!error)
            continue;
        for (int32_t j = 0; j < n; j++) {
            int32_t u = w[j] + ((error * (int16_t)(x[j] - 128) + half) >> s);
            u = u < 256 ? 256 : u;
            w[j] = (uint16_t)(u > 65535 ? 65535 : u);
        }
    }
}

/* Update, and replace x with the feedback to the layer before, made with the old weights (SPEC 1.3):
 * f_j = clamp((first + sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127 */

enum { PIECE = 256 };

API void tpsgd_backward(uint16_t *restrict w, uint8_t *restrict x, const int32_t *restrict e, int32_t m, int32_t n,
                        int32_t s, int32_t r, int32_t first)
{
    int32_t f[PIECE];
    for (int32_t begin = 0; begin < n; begin += PIECE) {
        const int32_t size = n - begin < PIECE ? n - begin : PIECE;
        for (int32_t j = 0; j < size; j++)
            f[j] = first;
        for (int32_t i = 0; i < m; i++) {
            const uint16_t *row = w + (size_t)i * n + begin;
            if (!e[i])
                continue;
            for (int32_t j = 0; j < size; j++)
                f[j] += (int16_t)((row[j] >> 8) - 128) * (int16_t)e[i];
        }
        for (int32_t i = 0; i < m; i++)
            tpsgd_update(w + (size_t)i * n + begin, x + begin, e + i, 1, size, s);
        for (int32_t j = 0; j < size - (begin + size == n); j++)
            x[begin + j] = x[begin + j] == 255 || x[begin + j] == 1 ? 128 : (uint8_t)(clamp(f[j] >> r) + 128);
    }
}

#endif
