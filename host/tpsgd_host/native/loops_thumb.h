/* The inner loops for Thumb-1: what loops_thumb.s computes, and the rest. Included by loops.h; the legend is in trainer.c.
 *
 * Inputs are centred in pieces on the stack, once for all rows, as words: one instruction loads two of them. A weight's
 * high byte loads unsigned, as hi + 128: sum (hi + 128)*x - 128*sum x is the same sum.
 */

enum { PIECE = 96 };

__asm__(".include \"loops_thumb.s\"");

/* Sums of rows, four at a time: z = ((z & keep) + correction + sum_j w_j*x_j) >> s */
typedef struct {
    const uint8_t *w; /* the first row */
    int32_t *z, *z_end;
    const int32_t *x;
    int32_t second, third, fourth; /* from a row to the next one */
    int32_t next;                  /* from the end of the fourth row to the first of the next four */
    int32_t keep;                  /* 0 or -1 */
    int32_t correction;
    int32_t s;
    const int32_t *end; /* of the pairs of inputs */
    int32_t skipped;    /* of the first pass: w lies as many weights before the row */
    int32_t odd;        /* whether an input is left over */
} tpsgd_rows;

/* Rows of weights change: v += (e*x + half) >> s, by 256 at most */
typedef struct {
    uint16_t *w; /* the first row */
    const int32_t *x, *e, *e_end;
    int32_t row;  /* bytes from the beginning of a row to the next one */
    int32_t next; /* bytes from the end of a row's piece to the next one */
    uint32_t s;   /* the shift; the highest bit is set where an input is left over */
    const int32_t *end;
    int32_t skipped; /* both as above */
} tpsgd_changes;

/* Rows of weights change, and their inputs are replaced by feedback, two columns at a time; changes as above */
typedef struct {
    uint16_t *w;     /* the first column */
    uint8_t *x, *x_end;
    const int32_t *e, *e_end;
    int32_t row; /* bytes of a row */
    int32_t s, r;
    int32_t first; /* what a sum begins with */
} tpsgd_columns;

/* Centre n inputs; return their sum */
int32_t tpsgd_centre(const uint8_t *x, int32_t *to, int32_t n) __attribute__((visibility("hidden")));
void tpsgd_rows_wide(tpsgd_rows *) __attribute__((visibility("hidden")));
void tpsgd_rows_narrow(tpsgd_rows *) __attribute__((visibility("hidden")));
void tpsgd_change_rows(tpsgd_changes *) __attribute__((visibility("hidden")));
void tpsgd_change_columns(tpsgd_columns *) __attribute__((visibility("hidden")));

/* Of the sixteen inputs of a pass, how many the first one skips: n is the number of inputs. The odd one comes last. */
static inline int32_t skipped(int32_t n) { return n > 1 ? -(n & ~1) & 15 : 16; }

/* z_i = (sum_j hi_ij * x_j) >> s; ``wide`` is 2, or 1 in a frozen layer: bytes of a weight */
static void sums(const uint8_t *w, const uint8_t *x, int32_t *z, int32_t m, int32_t n, int32_t s, int32_t wide)
{
    int32_t c[PIECE], some[4];
    void (*const run)(tpsgd_rows *) = wide == 2 ? tpsgd_rows_wide : tpsgd_rows_narrow;
    const int32_t row = n * wide, left = m & 3;
    for (int32_t begin = 0; begin < n; begin += PIECE) {
        const int32_t size = n - begin < PIECE ? n - begin : PIECE, even = size & ~1, before = skipped(size);
        tpsgd_rows rows = {
            .w = w + (begin - before) * wide + wide - 1, .z = z, .z_end = z + (m - left), .x = c,
            .second = row, .third = row, .fourth = row, .next = row - (even + before) * wide, .keep = begin ? -1 : 0,
            .correction = -128 * tpsgd_centre(x + begin, c, size), .s = begin + size == n ? s : 0,
            .end = c + even, .skipped = before, .odd = size & 1,
        };
        if (m > left)
            run(&rows);
        if (!left)
            continue;
        /* one to three rows: the last one counts as the others, too */
        rows.second = left > 1 ? row : 0, rows.third = left > 2 ? row : 0, rows.fourth = 0;
        rows.z = some, rows.z_end = some + 4;
        int32_t *end = z + (m - left);
        for (int32_t k = 0; k < left; k++)
            some[k] = end[k];
        run(&rows);
        for (int32_t k = 0; k < left; k++)
            end[k] = some[k];
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

static inline int32_t changed(int32_t u, int32_t product, int32_t s)
{
    u += product >> s;
    return (uint32_t)(u - 256) <= 65279 ? u : saturate(u);
}

/* Whether no error changes a weight by more than 256: none does from s = 7 on, as |e_i*x_j| < 2**15 */
static int small_steps(const int32_t *e, int32_t m, int32_t s)
{
    if (s >= 7)
        return 1;
    const int32_t most = divide(((256 << s) - (1 << s >> 1)), 127);
    for (int32_t i = 0; i < m; i++)
        if (e[i] > most || e[i] < -most)
            return 0;
    return 1;
}

/* v_ij = saturate(v_ij + ((e_i*x_j + (1 << (s - 1))) >> s)) */
API void tpsgd_update(uint16_t *w, const uint8_t *x, const int32_t *e, int32_t m, int32_t n, int32_t s)
{
    int32_t c[PIECE];
    const int32_t small = small_steps(e, m, s), half = 1 << s >> 1;
    for (int32_t begin = 0; begin < n; begin += PIECE) {
        const int32_t size = n - begin < PIECE ? n - begin : PIECE, even = size & ~1, before = skipped(size);
        tpsgd_centre(x + begin, c, size);
        tpsgd_changes changes = {
            .w = w + begin - before, .x = c, .e = e, .e_end = e + m, .row = 2 * n, .next = 2 * (n - even - before),
            .s = (uint32_t)s | (uint32_t)size << 31, .end = c + even, .skipped = before,
        };
        if (small)
            tpsgd_change_rows(&changes);
        else
            for (int32_t i = 0; i < m; i++)
                for (int32_t j = 0; j < size; j++) {
                    uint16_t *v = w + i * n + begin + j;
                    *v = (uint16_t)changed(*v, e[i] * c[j] + half, s);
                }
    }
}

/* Column j: update, and return the feedback */
static int32_t column(uint16_t *w, int32_t x, const int32_t *e, int32_t m, int32_t n, int32_t s, int32_t f)
{
    const int32_t half = 1 << s >> 1;
    for (int32_t i = 0; i < m; i++, w += n) {
        const int32_t v = *w;
        f += (v >> 8) * e[i];
        *w = (uint16_t)changed(v, e[i] * x + half, s);
    }
    return f;
}

/* Update, and replace x with the feedback f, made with the old weights.
 * f_j = clamp((first + sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127 */
API void tpsgd_backward(uint16_t *w, uint8_t *x, const int32_t *e, int32_t m, int32_t n, int32_t s, int32_t r,
                        int32_t first)
{
    const uint8_t bias = x[n - 1]; /* it stays */
    int32_t j = 0;
    for (int32_t i = 0; i < m; i++)
        first -= 128 * e[i];
    if (n > 1 && small_steps(e, m, s)) {
        j = n & ~1;
        tpsgd_change_columns(&(tpsgd_columns){
            .w = w, .x = x, .x_end = x + j, .e = e, .e_end = e + m, .row = 2 * n, .s = s, .r = r, .first = first,
        });
    }
    for (; j < n; j++) {
        const int32_t a = x[j] - 128, f = column(w + j, a, e, m, n, s, first);
        x[j] = a == 127 || a == -127 ? 128 : (uint8_t)(clamp(f >> r) + 128);
    }
    x[n - 1] = bias;
}
