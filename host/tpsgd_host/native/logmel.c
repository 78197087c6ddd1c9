/* The kernels of a log-mel front end as a native module of MicroPython. device/tpsgd/logmel.py documents them and holds
 * for their bits; logmel_native.py loads them.
 *
 * Legend: N samples of a window, m = N/2, C bands. A complex number is a pair of uint16, each with 32768 added.
 */

#include "module.h"
#include "divide.h"

enum { P_MEAN, P_EXPONENT, P_WINDOW, P_BANDS, P_OFFSET }; /* of a front end's parameters, as in logmel.py */

#define MARGIN 8 /* added to the quiet level before it is taken off */
#define LOUD 37  /* values of the table NOISE */
#define PAIRS 6  /* of values of the half-band filter */
#define MIDDLE 11

static inline int32_t less(uint32_t v) { return (int32_t)v - 32768; }

static inline uint16_t more(int32_t v) { return (uint16_t)(v + 32768); }

/* The floor of a quotient; loops.h has that of two numbers that are not negative. */
static inline int32_t floored(int32_t n, int32_t d) { return n < 0 ? -1 - divide(-1 - n, d) : divide(n, d); }

static void take_mean(const int16_t *x, int32_t *p)
{
    const int32_t n = p[P_WINDOW];
    int32_t total = 0, high = -32768, low = 32767, size = n, exponent = 13 + 16;
    for (int32_t i = 0; i < n; i++) {
        const int32_t v = x[i];
        total += v;
        high = v > high ? v : high;
        low = v < low ? v : low;
    }
    for (; size > 1; size >>= 1) /* a power of two */
        total >>= 1;
    high -= total;
    low = total - low;
    for (int32_t top = high > low ? high : low; top > 1; top >>= 1)
        exponent--;
    p[P_MEAN] = total;
    p[P_EXPONENT] = exponent;
}

static inline int32_t scaled(int32_t v, int32_t k) { return k >= 0 ? v << k : v >> -k; }

static void load(const int16_t *x, uint16_t *z, const uint16_t *t, const int32_t *p)
{
    const int32_t m = p[P_WINDOW] >> 1, k = p[P_EXPONENT] - 16, mean = p[P_MEAN];
    int32_t j = 0; /* twice i with its bits reversed */
    for (int32_t i = 0; i < m; i++, x += 2) {
        const int32_t a = scaled(x[0] - mean, k), b = scaled(x[1] - mean, k);
        const uint16_t *c = t + 2 * i;
        if (2 * i < m) {
            z[j] = more((a * ((65536 - c[0]) >> 1)) >> 15);
            z[j + 1] = more((b * ((65536 - c[1]) >> 1)) >> 15);
        } else { /* the second half of the cosine: the first with its sign changed */
            z[j] = more((a * (c[-m] >> 1)) >> 15);
            z[j + 1] = more((b * (c[1 - m] >> 1)) >> 15);
        }
        int32_t bit = m;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
    }
}

/* The sum and the difference of two complex numbers, halved; they replace the numbers. */
static inline void butterfly(uint16_t *u, uint16_t *v, int32_t re, int32_t im)
{
    const int32_t ur = u[0] + 32768, ui = u[1] + 32768;
    u[0] = (uint16_t)((ur + re) >> 1);
    u[1] = (uint16_t)((ui + im) >> 1);
    v[0] = (uint16_t)((ur - re) >> 1);
    v[1] = (uint16_t)((ui - im) >> 1);
}

static void fft(uint16_t *z, const uint16_t *t, int32_t m)
{
    uint16_t *const end = z + 2 * m;
    for (int32_t half = 1, step = m; half < m; half <<= 1, step >>= 1) { /* step of the table, which is that of 2m */
        for (uint16_t *u = z; u < end; u += 4 * half)
            butterfly(u, u + 2 * half, less(u[2 * half]), less(u[2 * half + 1]));
        for (int32_t k = 1; k < half; k++) {
            const int32_t c = less(t[k * step]), s = less(t[k * step + (m >> 1)]);
            for (uint16_t *u = z + 2 * k; u < end; u += 4 * half) {
                uint16_t *v = u + 2 * half;
                const int32_t re = less(v[0]), im = less(v[1]);
                butterfly(u, v, (re * c - im * s + 16384) >> 15, (re * s + im * c + 16384) >> 15);
            }
        }
    }
}

static inline int32_t magnitude(int32_t re, int32_t im)
{
    re = re < 0 ? -re : re;
    im = im < 0 ? -im : im;
    const int32_t high = re > im ? re : im, low = re > im ? im : re, other = high - (high >> 3) + (low >> 1);
    return high > other ? high : other;
}

static void add_bands(const uint16_t *z, const uint16_t *t, const uint8_t *weights, int32_t *sums)
{
    const int32_t m = sums[0] & 0xFFFF, bands = (sums[0] >> 16 & 0xFF) + 1;
    const uint16_t *run = (const uint16_t *)(const void *)(weights + m);
    for (int32_t i = 1; i <= bands + 1; i++)
        sums[i] = 0;
    for (int32_t u = 1, k = run[0]; u <= bands; u++) /* the bins of run 0 belong to no triangle */
        for (const int32_t end = k + run[u]; k < end; k++) {
            const uint16_t *a = z + 2 * k, *b = z + 2 * (m - k);
            const int32_t even_r = (a[0] + b[0] - 65536) >> 1, even_i = (a[1] - b[1]) >> 1;
            const int32_t odd_r = (a[1] + b[1] - 65536) >> 1, odd_i = (b[0] - a[0]) >> 1;
            const int32_t c = less(t[k]), s = less(t[k + (m >> 1)]);
            const int32_t size = magnitude((even_r + ((odd_r * c - odd_i * s + 16384) >> 15)) >> 1,
                                           (even_i + ((odd_r * s + odd_i * c + 16384) >> 15)) >> 1);
            const int32_t part = size * weights[k];
            sums[u + 1] += part;
            sums[u] += (size << 8) - part;
        }
}

static int32_t take_logs(const int32_t *sums, uint8_t *frame, const int32_t *p, const uint8_t *table)
{
    const int32_t less_by = 16 * (p[P_EXPONENT] - 16) - p[P_OFFSET], bands = p[P_BANDS];
    int32_t largest = 0;
    for (int32_t i = 0; i < bands; i++) {
        int32_t v = sums[i + 2], log = 0, e = 5;
        if (v) {
            for (; v > 63; v >>= 1)
                e++;
            for (; v < 32; v <<= 1)
                e--;
            log = 16 * e + table[v - 32];
        }
        log -= less_by;
        log = log < 0 ? 0 : log > 255 ? 255 : log;
        largest = log > largest ? log : largest;
        frame[i] = (uint8_t)log;
    }
    return largest;
}

static int32_t activity(const uint8_t *frame, const uint16_t *level, int32_t c)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < c; i++)
        sum += frame[i] - (level[i] >> 4);
    return sum;
}

static void follow(const uint8_t *frame, uint16_t *level, int32_t c, int32_t by)
{
    for (int32_t i = 0; i < c; i++)
        level[i] = (uint16_t)(level[i] + floored(16 * frame[i] - level[i], by));
}

static void take_noise(uint8_t *frame, const uint16_t *level, int32_t c, int32_t count, const uint8_t *table)
{
    for (; count; count--, frame += c)
        for (int32_t i = 0; i < c; i++) {
            const int32_t above = frame[i] - (level[i] >> 4) - MARGIN, d = above < 0 ? 0 : above;
            if (d < LOUD)
                frame[i] = frame[i] > table[d] ? frame[i] - table[d] : 0;
        }
}

static void word(const uint8_t *frames, uint8_t *x, const int32_t *shape)
{
    const int32_t r = shape[0], steps = shape[1], c = shape[2];
    int32_t top = 0;
    for (int32_t i = 0; i < r * c; i++)
        top = frames[i] > top ? frames[i] : top;
    const int32_t low = top - shape[3];
    for (int32_t t = 0; t < steps; t++) {
        const int32_t first = divide(t * r, steps), next = divide((t + 1) * r, steps);
        const int32_t count = next > first ? next - first : 1;
        for (int32_t j = 0; j < c; j++) {
            int32_t sum = 0;
            for (int32_t i = first; i < first + count; i++) {
                const int32_t v = frames[i * c + j];
                sum += (v < low ? low : v) - top;
            }
            const int32_t v = 2 * floored(sum, count) + 255;
            *x++ = (uint8_t)(v < 1 ? 1 : v);
        }
    }
}

static void halve(const int16_t *source, int16_t *target, const int16_t *taps, int32_t count)
{
    for (source += MIDDLE; count; count--, source += 2) {
        int32_t v = taps[0] * source[0] + 16384;
        for (int32_t j = 1; j <= PAIRS; j++)
            v += taps[j] * (source[1 - 2 * j] + source[2 * j - 1]);
        v >>= 15;
        *target++ = (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
    }
}

KERNEL(take_mean)
{
    UNUSED;
    take_mean(SIGNED_HALVES(0), SUMS(1));
    return none(self);
}

KERNEL(load)
{
    UNUSED;
    load(SIGNED_HALVES(0), HALVES(1), HALVES(2), SUMS(3));
    return none(self);
}

KERNEL(fft)
{
    UNUSED;
    fft(HALVES(0), HALVES(1), INT(2));
    return none(self);
}

KERNEL(add_bands)
{
    UNUSED;
    add_bands(HALVES(0), HALVES(1), BYTES(2), SUMS(3));
    return none(self);
}

/* take_logs(sums, frames, at, p, table) */
KERNEL(take_logs)
{
    UNUSED;
    return small(take_logs(SUMS(0), BYTES(1) + INT(2), SUMS(3), BYTES(4)));
}

KERNEL(activity)
{
    UNUSED;
    return small(activity(BYTES(0) + INT(1), HALVES(2), INT(3)));
}

KERNEL(follow)
{
    UNUSED;
    const int32_t packed = INT(3);
    follow(BYTES(0) + INT(1), HALVES(2), packed & 0x7FF, packed >> 11);
    return none(self);
}

KERNEL(shift)
{
    UNUSED;
    uint8_t *frames = BYTES(0);
    const uint8_t *from = frames + INT(1);
    for (int32_t n = INT(2); n; n--)
        *frames++ = *from++;
    return none(self);
}

/* take_noise(frames, level, c, count, table) */
KERNEL(take_noise)
{
    UNUSED;
    take_noise(BYTES(0), HALVES(1), INT(2), INT(3), BYTES(4));
    return none(self);
}

KERNEL(word)
{
    UNUSED;
    word(BYTES(0), BYTES(1), SUMS(2));
    return none(self);
}

KERNEL(copy)
{
    UNUSED;
    const int32_t places = INT(2);
    const uint16_t *source = HALVES(0) + (places >> 16);
    uint16_t *target = HALVES(1) + (places & 0xFFFF);
    for (int32_t n = INT(3); n; n--)
        *target++ = *source++;
    return none(self);
}

/* halve(source, target, places, count, taps) */
KERNEL(halve)
{
    UNUSED;
    const int32_t places = INT(2);
    halve(SIGNED_HALVES(0) + (places >> 16), SIGNED_HALVES(1) + (places & 0xFFFF), SIGNED_HALVES(4), INT(3));
    return none(self);
}
