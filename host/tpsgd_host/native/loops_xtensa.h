/* The inner loops for Xtensa LX6 and LX7: ESP32, ESP32-S2 and -S3. Included by loops.h; the legend is in trainer.c.
 *
 * MIN, MAX and QUOS are among the instructions that all three chips have. Loops without overhead and MAC16 are not
 * used: the ESP32-S2 lacks them. The amount of a shift lies in a register of its own (SSR sets it). A load or a product
 * comes one instruction before it is needed where there is something to do meanwhile.
 *
 * Inputs are centred in pieces on the stack, once for all rows. A weight's high byte loads unsigned, as hi + 128:
 * sum (hi + 128)*x - 128*sum x is the same sum.
 */

enum { PIECE = 256 };

/* Centre a piece of the inputs; return its sum */
static inline int32_t centre(const uint8_t *x, int16_t *to, int32_t n)
{
    const uint8_t *most = x + (n & ~3), *end = x + n;
    int32_t sum = 0;
    for (; x < most; x += 4, to += 4)
        sum += (to[0] = x[0] - 128) + (to[1] = x[1] - 128) + (to[2] = x[2] - 128) + (to[3] = x[3] - 128);
    for (; x < end; x++, to++)
        sum += *to = *x - 128;
    return sum;
}

static inline int32_t single(const uint8_t *w, const int16_t *x, const int16_t *end, int32_t wide)
{
    int32_t sum = 0;
    for (; x < end; w += wide)
        sum += *w * *x++;
    return sum;
}

/* Column k of four rows: at ``at`` bytes in a row of weights, ``of`` in the inputs */
#define MAC(at, of)                                                                                                    \
    "l16si %[v], %[x], " of "\n\t"                                                                                     \
    "l8ui %[t], %[a], " at "\n\t"                                                                                      \
    "l8ui %[u], %[b], " at "\n\t"                                                                                      \
    "mull %[t], %[t], %[v]\n\t"                                                                                        \
    "mull %[u], %[u], %[v]\n\t"                                                                                        \
    "add %[s0], %[s0], %[t]\n\t"                                                                                       \
    "l8ui %[t], %[c], " at "\n\t"                                                                                      \
    "add %[s1], %[s1], %[u]\n\t"                                                                                       \
    "l8ui %[u], %[d], " at "\n\t"                                                                                      \
    "mull %[t], %[t], %[v]\n\t"                                                                                        \
    "mull %[u], %[u], %[v]\n\t"                                                                                        \
    "add %[s2], %[s2], %[t]\n\t"                                                                                       \
    "add %[s3], %[s3], %[u]\n\t"

/* Columns of four rows, and on to the next ones */
#define SEVERAL(columns, step)                                                                                         \
    __asm__ volatile(columns "addi %[a], %[a], " step "\n\t"                                                           \
                             "addi %[b], %[b], " step "\n\t"                                                           \
                             "addi %[c], %[c], " step "\n\t"                                                           \
                             "addi %[d], %[d], " step "\n\t"                                                           \
                     : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2),       \
                       [s3] "+r"(s3), [v] "=&r"(v), [t] "=&r"(t), [u] "=&r"(u)                                         \
                     : [x] "r"(x)                                                                                      \
                     : "memory")

/* z_i = (first + z_i + the sums of row i) >> s for four rows; ``more``: z_i holds the sums of columns before */
static inline void several(const uint8_t *a, int32_t row, const int16_t *x, const int16_t *end, int32_t wide,
                           int32_t *z, int32_t first, int32_t more, int32_t s)
{
    const uint8_t *b = a + row, *c = b + row, *d = c + row;
    int32_t s0 = first, s1 = first, s2 = first, s3 = first, v, t, u;
    if (more)
        s0 += z[0], s1 += z[1], s2 += z[2], s3 += z[3];
    const int16_t *most = x + ((end - x) & (wide == 2 ? ~7 : ~3));
    if (wide == 2) {
        for (; x < most; x += 8)
            SEVERAL(MAC("0", "0") MAC("2", "2") MAC("4", "4") MAC("6", "6") MAC("8", "8") MAC("10", "10")
                        MAC("12", "12") MAC("14", "14"),
                    "16");
        for (; x < end; x++)
            SEVERAL(MAC("0", "0"), "2");
    } else {
        for (; x < most; x += 4)
            SEVERAL(MAC("0", "0") MAC("1", "2") MAC("2", "4") MAC("3", "6"), "4");
        for (; x < end; x++)
            SEVERAL(MAC("0", "0"), "1");
    }
    z[0] = s0 >> s, z[1] = s1 >> s, z[2] = s2 >> s, z[3] = s3 >> s;
}

/* z_i = (sum_j hi_ij * x_j) >> s; ``wide`` is 2, or 1 in a frozen layer: bytes of a weight */
static inline void sums(const uint8_t *w, const uint8_t *x, int32_t *z, int32_t m, int32_t n, int32_t s, int32_t wide)
{
    int16_t c[PIECE];
    const int32_t row = n * wide;
    w += wide - 1;
    for (int32_t begin = 0; begin < n; begin += PIECE) {
        const int32_t size = n - begin < PIECE ? n - begin : PIECE, shift = begin + size == n ? s : 0;
        const int32_t first = -128 * centre(x + begin, c, size);
        const uint8_t *v = w;
        int32_t i = 0;
        for (; i < m - 3; i += 4, v += 4 * row)
            several(v, row, c, c + size, wide, z + i, first, begin, shift);
        for (; i < m; i++, v += row)
            z[i] = (first + (begin ? z[i] : 0) + single(v, c, c + size, wide)) >> shift;
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

/* Column k of two rows, or of one: v = saturate(v + ((e*x + half) >> s)) */
#define CHANGE_BOTH(at)                                                                                                \
    "l16si %[v], %[x], " at "\n\t"                                                                                     \
    "l16ui %[p], %[a], " at "\n\t"                                                                                     \
    "mull %[t], %[v], %[e]\n\t"                                                                                        \
    "mull %[v], %[v], %[f]\n\t"                                                                                        \
    "l16ui %[q], %[b], " at "\n\t"                                                                                     \
    "add %[t], %[t], %[half]\n\t"                                                                                      \
    "add %[v], %[v], %[half]\n\t"                                                                                      \
    "sra %[t], %[t]\n\t"                                                                                               \
    "sra %[v], %[v]\n\t"                                                                                               \
    "add %[p], %[p], %[t]\n\t"                                                                                         \
    "add %[q], %[q], %[v]\n\t" MAX "%[p], %[p], %[low]\n\t" MAX "%[q], %[q], %[low]\n\t" MIN                           \
    "%[p], %[p], %[high]\n\t" MIN "%[q], %[q], %[high]\n\t"                                                            \
    "s16i %[p], %[a], " at "\n\t"                                                                                      \
    "s16i %[q], %[b], " at "\n\t"

#define CHANGE(at)                                                                                                     \
    "l16si %[v], %[x], " at "\n\t"                                                                                     \
    "l16ui %[p], %[a], " at "\n\t"                                                                                     \
    "mull %[v], %[v], %[e]\n\t"                                                                                        \
    "add %[v], %[v], %[half]\n\t"                                                                                      \
    "sra %[v], %[v]\n\t"                                                                                               \
    "add %[p], %[p], %[v]\n\t" MAX "%[p], %[p], %[low]\n\t" MIN "%[p], %[p], %[high]\n\t"                              \
    "s16i %[p], %[a], " at "\n\t"

#define UPDATE_BOTH(columns)                                                                                           \
    __asm__ volatile(columns                                                                                           \
                     : [v] "=&r"(v), [t] "=&r"(t), [p] "=&r"(p), [q] "=&r"(q)                                          \
                     : [a] "r"(a), [b] "r"(b), [x] "r"(x), [e] "r"(e), [f] "r"(f), [half] "r"(half), [low] "r"(256),   \
                       [high] "r"(65535)                                                                               \
                     : "memory")

#define UPDATE(columns)                                                                                                \
    __asm__ volatile(columns                                                                                           \
                     : [v] "=&r"(v), [p] "=&r"(p)                                                                      \
                     : [a] "r"(a), [x] "r"(x), [e] "r"(e), [half] "r"(half), [low] "r"(256), [high] "r"(65535)         \
                     : "memory")

static inline void update_both(uint16_t *a, uint16_t *b, const int16_t *x, int32_t n, int32_t e, int32_t f, int32_t s)
{
    const int32_t half = 1 << (s - 1);
    const int16_t *end = x + n, *most = x + (n & ~7);
    int32_t v, t, p, q;
    __asm__ volatile("ssr %0" ::"r"(s));
    for (; x < most; x += 8, a += 8, b += 8)
        UPDATE_BOTH(CHANGE_BOTH("0") CHANGE_BOTH("2") CHANGE_BOTH("4") CHANGE_BOTH("6") CHANGE_BOTH("8")
                        CHANGE_BOTH("10") CHANGE_BOTH("12") CHANGE_BOTH("14"));
    for (; x < end; x++, a++, b++)
        UPDATE_BOTH(CHANGE_BOTH("0"));
}

static inline void update_one(uint16_t *a, const int16_t *x, int32_t n, int32_t e, int32_t s)
{
    const int32_t half = 1 << (s - 1);
    const int16_t *end = x + n, *most = x + (n & ~3);
    int32_t v, p;
    __asm__ volatile("ssr %0" ::"r"(s));
    for (; x < most; x += 4, a += 4)
        UPDATE(CHANGE("0") CHANGE("2") CHANGE("4") CHANGE("6"));
    for (; x < end; x++, a++)
        UPDATE(CHANGE("0"));
}

/* v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)) */
API void tpsgd_update(uint16_t *w, const uint8_t *x, const int32_t *e, int32_t m, int32_t n, int32_t s)
{
    int16_t c[PIECE];
    for (int32_t begin = 0; begin < n; begin += PIECE) {
        const int32_t size = n - begin < PIECE ? n - begin : PIECE;
        uint16_t *row = w + begin, *waits = NULL;
        int32_t its = 0;
        centre(x + begin, c, size);
        for (const int32_t *p = e, *end = e + m; p < end; p++, row += n) {
            if (!*p)
                continue;
            if (waits) {
                update_both(waits, row, c, size, its, *p, s);
                waits = NULL;
            } else {
                waits = row;
                its = *p;
            }
        }
        if (waits)
            update_one(waits, c, size, its, s);
    }
}

/* A column of one row with the error i: add to its feedback with the weight from before, and update it */
#define BACK(at, x, sum)                                                                                               \
    "l16ui %[u], %[w], " at "\n\t"                                                                                     \
    "mull %[t], %[" x "], %[i]\n\t"                                                                                    \
    "add %[t], %[t], %[half]\n\t"                                                                                      \
    "sra %[t], %[t]\n\t"                                                                                               \
    "add %[t], %[t], %[u]\n\t"                                                                                         \
    "extui %[u], %[u], 8, 8\n\t"                                                                                       \
    "mull %[u], %[u], %[i]\n\t" MAX "%[t], %[t], %[low]\n\t" MIN "%[t], %[t], %[high]\n\t"                             \
    "add %[" sum "], %[" sum "], %[u]\n\t"                                                                             \
    "s16i %[t], %[w], " at "\n\t"

/* Two columns over all rows. There are not enough registers: the end is loaded anew each time. */
#define BACKWARD                                                                                                       \
    __asm__ volatile("1:\tl32i %[i], %[p], 0\n\t"                                                                      \
                     "addi %[p], %[p], 4\n\t"                                                                          \
                     "beqz %[i], 2f\n\t" BACK("0", "a", "f") BACK("2", "b", "g") "2:\tl32i %[u], %[end]\n\t"           \
                     "add %[w], %[w], %[row]\n\t"                                                                      \
                     "bltu %[p], %[u], 1b"                                                                             \
                     : [w] "+r"(column), [p] "+r"(p), [f] "+r"(f), [g] "+r"(g), [i] "=&r"(i), [u] "=&r"(u),            \
                       [t] "=&r"(t)                                                                                    \
                     : [end] "m"(end), [row] "r"(2 * n), [a] "r"(a), [b] "r"(b), [half] "r"(half), [low] "r"(256),     \
                       [high] "r"(65535)                                                                               \
                     : "memory")

/* f_j = clamp(f >> r), 0 where x_j is 127 or -127 */
static inline uint8_t sent(int32_t x, int32_t f, int32_t r)
{
    return x == 127 || x == -127 ? 128 : (uint8_t)(clamp(f >> r) + 128);
}

/* Update, and replace x with the feedback f, made with the old weights: two columns at a time.
 * f_j = clamp((first + sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127 */
API void tpsgd_backward(uint16_t *w, uint8_t *x, const int32_t *e, int32_t m, int32_t n, int32_t s, int32_t r,
                        int32_t first)
{
    const int32_t half = 1 << (s - 1), *end = e + m;
    const int16_t bias = 127;
    int32_t j = 0;
    for (const int32_t *p = e; p < end; p++)
        first -= 128 * *p;
    for (; j < n - 1; j += 2) {
        const int32_t a = x[j] - 128, b = x[j + 1] - 128, *p = e;
        int32_t f = first, g = first, i, u, t;
        uint16_t *column = w + j;
        __asm__ volatile("ssr %0" ::"r"(s));
        BACKWARD;
        x[j] = sent(a, f, r);
        if (j + 1 < n - 1) /* the bias stays */
            x[j + 1] = sent(b, g, r);
    }
    for (const int32_t *p = e; j < n && p < end; p++, w += n)
        if (*p)
            update_one(w + j, &bias, 1, *p, s);
}
