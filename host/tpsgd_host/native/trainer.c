/* The trainer of SPEC 1 in C99, for fast simulations. It computes the same bits as the engines of the device package.
 *
 * Legend. R records, T steps, C channels, K readout steps, N classes, P phases of the model; m units, n inputs of a
 * layer, the bias counted (its input is the last one, always 127); D depth of the map that a conv layer reads.
 *
 *   w       (m, n) uint16, v + 32896: weights of a layer that learns; the high byte is hi + 128
 *   frozen  (m, n) uint8, hi + 128: weights of a frozen layer
 *   x       (n,) uint8, activation + 128; the last is 255
 *   z       (m,) int32: the sums of the forward pass, then the errors e in the same place
 *   f       (n - 1,) int32: feedback of a layer to the one before
 *   h16     (m,) uint16, state of a leaky unit + 32768; h (m,) uint8, its activation + 128
 *   data    (R, T*C) uint8, results (R, 2) uint8: predicted class, p_y
 *
 * ">>" of a negative number must be an arithmetic shift, as it is with every compiler in use. Nothing here checks its
 * arguments: the caller has checked labels and shapes.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define API __declspec(dllexport)
#else
#define API
#endif

enum { DENSE, RECURRENT, OUTPUT, CONV, TEMPORAL };
enum { LAST, READOUT, RANDOM, EVERY };
enum { NETWORK = 1, PROTOTYPES, BOTH };
enum { STILL, WORDS, MOTION, VIEWS = 12, FAR = 0x3FFFFFFF, ANY_SCORE = 65535 };
enum { TEST_OP = 1, UNKNOWN = 255, MAX_LAYERS = 16, MAX_PHASES = 8, TABLE_SIZE = 100 };

typedef struct {
    int32_t kind;
    int32_t units;               /* m */
    int32_t inputs;              /* n */
    int32_t shift;               /* S of the forward pass */
    int32_t leak;                /* k */
    int32_t amplitude;           /* A; 0 in a layer that learns from feedback, and in the output */
    int32_t feedback;            /* r of the feedback that it sends */
    int32_t nearest;             /* 1 where that is rounded to nearest */
    int32_t l1;                  /* c; 0 for l2 */
    uint32_t base;               /* where the targets' generator starts */
    uint8_t shifts[MAX_PHASES];  /* s of each phase */
    uint16_t *w;                 /* NULL in a frozen layer */
    uint8_t *frozen;             /* NULL in a layer that learns */
    uint8_t *x;                  /* (n,) */
    uint16_t *h16;               /* (m,) of a recurrent layer */
    uint8_t *h;                  /* (m,) of a recurrent layer */
    /* of a conv layer */
    int32_t lines;               /* rows of its kernel */
    int32_t span;                /* kernel columns * D */
    int32_t line;                /* bytes of a row of the map that it reads */
    int32_t height_below;        /* rows of that map */
    int32_t stride;              /* rows between positions */
    int32_t across;              /* bytes between positions in a row */
    int32_t above, left;         /* zeros around that map: rows, bytes */
    int32_t height, width;       /* positions that pooling takes together, in both directions */
    int32_t rows, columns;       /* of its own map, after pooling */
    int32_t regions, beside;     /* regions in both directions */
    uint8_t *map;                /* (rows, columns, m) */
    /* of a temporal layer */
    int32_t taps;                /* steps of its kernel */
    int32_t segments;            /* K */
    uint8_t *places;             /* (K, m): the step of a segment at which a filter is largest */
} tpsgd_layer;

typedef struct {
    int32_t way;                 /* NETWORK..BOTH */
    int32_t count;               /* P */
    int32_t none;                /* the class none; 255 without */
    int32_t score;               /* t1 */
    int32_t margin;              /* t2 */
    int32_t mean;                /* mean of the known classes' scales */
    const uint8_t *vectors;      /* (P, n - 1) */
    const uint8_t *labels;       /* (P,) */
    const int32_t *scales;       /* (N,) */
    int32_t *distances;          /* (N,) */
    int32_t *nearness;           /* (N,) */
    int32_t *chances;            /* (N,) */
} tpsgd_prototypes;

typedef struct {
    int32_t layers;
    int32_t steps;        /* T */
    int32_t channels;     /* C */
    int32_t classes;      /* N */
    int32_t readout_steps; /* K; 0 without a recurrent layer */
    int32_t update_at;    /* LAST..EVERY */
    int32_t phases;       /* P */
    uint32_t seen;        /* training samples of this run so far */
    uint32_t total;       /* number announced for the run; 0 unknown */
    uint32_t state;       /* the run's generator */
    int32_t *z;           /* (m,) of the widest layer */
    int32_t *f;           /* (n,) of the widest layer */
    uint8_t *top;         /* (m,) of the widest layer: largest activation of each filter in a region */
    uint32_t *where;      /* (m,) of the widest layer: row << 16 | column of that position */
    uint8_t *window;      /* (m,) of the widest layer: largest activation of each filter in a window */
    uint8_t *places;      /* (m,) of the widest layer: its position in the window */
    uint8_t *below;       /* of the size of the largest map that a conv layer reads: feedback to the layer before */
    const tpsgd_prototypes *known; /* NULL where the model has none */
    tpsgd_layer layer[MAX_LAYERS];
} tpsgd_network;

/* floor(255*exp(-d/16) + 0.5); 0 after the end */
static const uint8_t SOFTMAX[TABLE_SIZE] = {
    255, 240, 225, 211, 199, 187, 175, 165, 155, 145, 136, 128, 120, 113, 106, 100, 94, 88, 83, 78, 73, 69, 64, 61, 57,
    53,  50,  47,  44,  42,  39,  37,  35,  32,  30,  29,  27,  25,  24,  22,  21,  20, 18, 17, 16, 15, 14, 14, 13, 12,
    11,  11,  10,  9,   9,   8,   8,   7,   7,   6,   6,   6,   5,   5,   5,   4,   4,  4,  4,  3,  3,  3,  3,  3,  2,
    2,   2,   2,   2,   2,   2,   2,   2,   1,   1,   1,   1,   1,   1,   1,   1,   1,  1,  1,  1,  1,  1,  1,  1,  1};

static inline int32_t clamp(int32_t v) { return v > 127 ? 127 : v < -127 ? -127 : v; }

/* Generator (SPEC 1.4) */

static uint32_t next_state(uint32_t s)
{
    s ^= s << 13;
    s ^= s >> 17;
    return s ^ (s << 5);
}

static uint32_t mix(uint32_t x)
{
    x = ((x >> 16) ^ x) * 0x45D9F3Bu;
    x = ((x >> 16) ^ x) * 0x45D9F3Bu;
    x = (x >> 16) ^ x;
    return x ? x : 1;
}

static int32_t draw(uint32_t *state, int32_t n)
{
    *state = next_state(*state);
    return (int32_t)(((*state >> 16) * (uint32_t)n) >> 16);
}

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

static void forward_frozen(const uint8_t *restrict w, const uint8_t *restrict x, int32_t *restrict z, int32_t m,
                           int32_t n, int32_t s)
{
    for (int32_t i = 0; i < m; i++, w += n) {
        int32_t sum = 0;
        for (int32_t j = 0; j < n; j++)
            sum += (int16_t)(w[j] - 128) * (int16_t)(x[j] - 128);
        z[i] = sum >> s;
    }
}

static void forward(const tpsgd_layer *layer, int32_t *z)
{
    if (layer->frozen)
        forward_frozen(layer->frozen, layer->x, z, layer->units, layer->inputs, layer->shift);
    else
        tpsgd_forward(layer->w, layer->x, z, layer->units, layer->inputs, layer->shift);
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

/* e_i = loss'(t_i - a_i), with the targets of the column regenerated from the layer's seed; e must not overlap a */
static void error(const tpsgd_layer *layer, const uint8_t *a, int32_t *e, int32_t column)
{
    uint32_t s = mix(layer->base + (uint32_t)column);
    for (int32_t i = 0; i < layer->units; i++) {
        if (i % 32 == 0)
            s = next_state(s);
        int32_t g = ((s >> (i % 32)) & 1 ? layer->amplitude : -layer->amplitude) - (a[i] - 128);
        if (layer->l1)
            g = g > 0 ? layer->l1 : g < 0 ? -layer->l1 : 0;
        e[i] = g;
    }
}

/* h16 += (256*clamp(z) - h16) >> k; h = (h16 + 128) >> 8 */
static void leak(const tpsgd_layer *layer, const int32_t *z, uint16_t *h16, uint8_t *h)
{
    for (int32_t i = 0; i < layer->units; i++) {
        int32_t old = h16[i] - 32768;
        int32_t now = old + ((256 * clamp(z[i]) - old) >> layer->leak) + 32768;
        h16[i] = (uint16_t)now;
        h[i] = (uint8_t)((now + 128) >> 8);
    }
}

/* Turn sums into errors 127*[i = y] - p_i; write the predicted class and p_y (of the predicted class with UNKNOWN) */
static void softmax(int32_t *z, int32_t m, int32_t y, uint8_t *result)
{
    int32_t best = 0;
    for (int32_t i = 1; i < m; i++)
        if (z[i] > z[best])
            best = i;
    const int32_t top = z[best];
    int32_t sum = 0;
    for (int32_t i = 0; i < m; i++) {
        int32_t d = (top - z[i]) >> 1;
        z[i] = d < TABLE_SIZE ? SOFTMAX[d] : 0;
        sum += z[i];
    }
    for (int32_t i = 0; i < m; i++)
        z[i] = -((127 * z[i] + (sum >> 1)) / sum);
    if (y == UNKNOWN)
        y = best;
    result[0] = (uint8_t)best;
    result[1] = (uint8_t)-z[y];
    z[y] += 127;
}

/* Update a layer, and replace its x with the feedback to the layer before, made with the old weights (SPEC 1.3):
 * f_j = clamp((sum_i hi_ij * e_i) >> r), 0 where x_j is 127 or -127; rounded to nearest in a conv layer */
static void backward(const tpsgd_layer *layer, const int32_t *restrict e, int32_t *restrict f, int32_t s)
{
    const int32_t m = layer->units, n = layer->inputs;
    const int32_t r = layer->feedback, half = layer->nearest << (r - 1);
    for (int32_t j = 0; j < n; j++)
        f[j] = half;
    for (int32_t i = 0; i < m; i++) {
        const uint16_t *w = layer->w + (size_t)i * n;
        if (!e[i])
            continue;
        for (int32_t j = 0; j < n; j++)
            f[j] += (int16_t)((w[j] >> 8) - 128) * (int16_t)e[i];
    }
    tpsgd_update(layer->w, layer->x, e, m, n, s);
    for (int32_t j = 0; j < n - 1; j++)
        layer->x[j] = layer->x[j] == 255 || layer->x[j] == 1 ? 128 : (uint8_t)(clamp(f[j] >> r) + 128);
}

/* e_i = f_i; if ``masked``, 0 where z_i is saturated */
static void masked_error(const uint8_t *f, int32_t *z, int32_t m, int masked)
{
    for (int32_t i = 0; i < m; i++)
        z[i] = masked && (z[i] >= 127 || z[i] <= -127) ? 0 : f[i] - 128;
}

/* Whether layer l learns from feedback */
static int learns_from_feedback(const tpsgd_network *net, int32_t l)
{
    return l < net->layers - 1 && !net->layer[l].amplitude;
}

/* s of each layer in a phase: 0 where it does not learn, also because the layer that sends feedback does not */
static void find_rates(const tpsgd_network *net, int32_t phase, uint8_t *rates)
{
    for (int32_t l = net->layers - 1; l >= 0; l--) {
        rates[l] = phase < 0 ? 0 : net->layer[l].shifts[phase];
        if (learns_from_feedback(net, l) && !rates[l + 1])
            rates[l] = 0;
    }
}

/* Learn from the errors of layer l in z, then from feedback in the layers before, back to ``lowest`` or to a layer that
 * sends none. Return the last layer that learned; lowest - 1 where its feedback goes to the layer before. */
static int32_t backward_pass(tpsgd_network *net, int32_t l, int32_t lowest, const uint8_t *rates, int masked)
{
    for (;; l--) {
        const tpsgd_layer *layer = &net->layer[l];
        if (!l || !learns_from_feedback(net, l - 1) || !rates[l - 1]) {
            if (rates[l])
                tpsgd_update(layer->w, layer->x, net->z, layer->units, layer->inputs, rates[l]);
            return l;
        }
        backward(layer, net->z, net->f, rates[l]);
        if (l == lowest)
            return l - 1;
        if (masked)
            forward(layer - 1, net->z);
        masked_error(layer->x, net->z, layer[-1].units, masked);
    }
}

/* Run the T steps of the recurrent layers. The last one's K readout states go side by side to the next layer's inputs.
 * ``again``: feedback lies there instead, and the layers learn from it. Return the number of layers. */
static int32_t run_recurrent(tpsgd_network *net, const uint8_t *sample, int32_t y, const uint8_t *rates, int again)
{
    const int32_t T = net->steps, C = net->channels, K = net->readout_steps;
    int32_t learns = -1, layers = 0, done = 0;
    for (; net->layer[layers].kind == RECURRENT; layers++) {
        const tpsgd_layer *layer = &net->layer[layers];
        for (int32_t i = 0; i < layer->units; i++)
            layer->h16[i] = 32768;
        memset(layer->h, 128, (size_t)layer->units);
        if (rates[layers] && !learns_from_feedback(net, layers))
            learns = net->update_at;
    }
    const int32_t chosen = learns == LAST ? T - 1 : learns == RANDOM ? draw(&net->state, T) : -1;
    uint8_t *out = net->layer[layers].x;
    for (int32_t t = 0; t < T; t++) {
        const int at_readout = t == (done + 1) * T / K - 1;
        const int now = t == chosen || learns == EVERY || (learns == READOUT && at_readout);
        const uint8_t *below = sample + (size_t)t * C;
        size_t width = (size_t)C;
        for (int32_t l = 0; l < layers; l++) {
            const tpsgd_layer *layer = &net->layer[l];
            memcpy(layer->x, below, width);
            memcpy(layer->x + width, layer->h, (size_t)layer->units);
            forward(layer, net->z);
            leak(layer, net->z, layer->h16, layer->h);
            if (now && rates[l]) {
                error(layer, layer->h, net->z, learns == READOUT ? done * net->classes + y : y);
                tpsgd_update(layer->w, layer->x, net->z, layer->units, layer->inputs, rates[l]);
            }
            below = layer->h;
            width = (size_t)layer->units;
        }
        if (!at_readout)
            continue;
        if (again) {
            masked_error(out + width * done++, net->z, (int32_t)width, 1);
            backward_pass(net, layers - 1, 0, rates, 1);
        } else {
            memcpy(out + width * done++, below, width);
        }
    }
    return layers;
}

/* Row i of the patch at a position: which bytes of a map it takes, and where they begin in the patch. 0: it lies outside */
static int32_t piece(const tpsgd_layer *layer, int32_t row, int32_t column, int32_t i, size_t *map, size_t *patch)
{
    const int32_t at = row * layer->stride - layer->above + i;
    const int32_t begin = column * layer->across - layer->left, end = begin + layer->span;
    if (at < 0 || at >= layer->height_below)
        return 0;
    *map = (size_t)at * layer->line + (begin < 0 ? 0 : begin);
    *patch = (size_t)i * layer->span + (begin < 0 ? -begin : 0);
    return (end > layer->line ? layer->line : end) - (begin < 0 ? 0 : begin);
}

/* Copy the patch at a position of a map to the layer's inputs */
static void gather(const tpsgd_layer *layer, const uint8_t *source, int32_t row, int32_t column)
{
    size_t map, patch;
    if (layer->above || layer->left)
        memset(layer->x, 128, (size_t)layer->inputs - 1);
    for (int32_t i = 0; i < layer->lines; i++) {
        const int32_t size = piece(layer, row, column, i, &map, &patch);
        if (size)
            memcpy(layer->x + patch, source + map, (size_t)size);
    }
}

/* Fill region (g, f) of a conv layer's map. With s > 0 each filter learns where in the region it was strongest. */
static void run_region(tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *source, int32_t g, int32_t f,
                       int32_t y, int32_t s)
{
    const int32_t m = layer->units;
    memset(net->top, 0, (size_t)m);
    for (int32_t r = g * layer->rows / layer->regions; r < (g + 1) * layer->rows / layer->regions; r++)
        for (int32_t c = f * layer->columns / layer->beside; c < (f + 1) * layer->columns / layer->beside; c++) {
            uint8_t *place = layer->map + ((size_t)r * layer->columns + c) * m;
            memset(place, 0, (size_t)m);
            for (int32_t i = 0; i < layer->height * layer->width; i++) {
                const int32_t row = r * layer->height + i / layer->width, column = c * layer->width + i % layer->width;
                gather(layer, source, row, column);
                forward(layer, net->z);
                for (int32_t k = 0; k < m; k++) {
                    const uint8_t a = (uint8_t)(clamp(net->z[k]) + 128);
                    if (a > place[k])
                        place[k] = a;
                    if (a >= net->top[k]) {
                        net->top[k] = a;
                        net->where[k] = (uint32_t)row << 16 | (uint32_t)column;
                    }
                }
            }
        }
    if (!s)
        return;
    error(layer, net->top, net->z, (g * layer->beside + f) * net->classes + y);
    for (int32_t k = 0; k < m; k++)
        if (net->z[k]) {
            gather(layer, source, (int32_t)(net->where[k] >> 16), (int32_t)(net->where[k] & 0xFFFF));
            tpsgd_update(layer->w + (size_t)k * layer->inputs, layer->x, net->z + k, 1, layer->inputs, s);
        }
}

/* Run the conv layers. The last one's map goes to the next layer's inputs. Return the number of layers. */
static int32_t run_conv(tpsgd_network *net, const uint8_t *sample, int32_t y, const uint8_t *rates)
{
    int32_t l = 0;
    size_t size = 0;
    for (; net->layer[l].kind == CONV; l++) {
        const tpsgd_layer *layer = &net->layer[l];
        for (int32_t g = 0; g < layer->regions; g++)
            for (int32_t f = 0; f < layer->beside; f++)
                run_region(net, layer, sample, g, f, y, learns_from_feedback(net, l) ? 0 : rates[l]);
        sample = layer->map;
        size = (size_t)layer->rows * layer->columns * layer->units;
    }
    memcpy(net->layer[l].x, sample, size);
    return l;
}

/* Find the first largest of each filter's activations in a window, with the present weights */
static void find_places(tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *source, int32_t r, int32_t c)
{
    const int32_t m = layer->units;
    memset(net->places, 0, (size_t)m);
    if (layer->height * layer->width == 1)
        return;
    memset(net->window, 0, (size_t)m);
    for (int32_t i = 0; i < layer->height * layer->width; i++) {
        gather(layer, source, r * layer->height + i / layer->width, c * layer->width + i % layer->width);
        forward(layer, net->z);
        for (int32_t k = 0; k < m; k++) {
            const uint8_t a = (uint8_t)(clamp(net->z[k]) + 128);
            if (a > net->window[k]) {
                net->window[k] = a;
                net->places[k] = (uint8_t)i;
            }
        }
    }
}

/* Add the feedback in a patch, which lies in the layer's inputs, to that of the whole map */
static void scatter(const tpsgd_layer *layer, uint8_t *below, int32_t row, int32_t column)
{
    size_t map, patch;
    for (int32_t i = 0; i < layer->lines; i++) {
        const int32_t size = piece(layer, row, column, i, &map, &patch);
        for (int32_t j = 0; j < size; j++)
            below[map + j] = (uint8_t)(clamp(below[map + j] + layer->x[patch + j] - 256) + 128);
    }
}

/* Learn from the feedback f of one window; sum up the feedback to the map below where ``sends`` */
static void learn_window(tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *source, const uint8_t *f,
                         int32_t r, int32_t c, int32_t s, int sends)
{
    const int32_t m = layer->units;
    int32_t some = 0;
    for (int32_t k = 0; k < m; k++)
        some |= f[k] - 128;
    if (!some)
        return;
    find_places(net, layer, source, r, c);
    for (int32_t i = 0; i < layer->height * layer->width; i++) {
        const int32_t row = r * layer->height + i / layer->width, column = c * layer->width + i % layer->width;
        some = 0;
        for (int32_t k = 0; k < m; k++)
            some |= net->z[k] = net->places[k] == i ? f[k] - 128 : 0;
        if (!some)
            continue;
        gather(layer, source, row, column);
        if (sends) {
            backward(layer, net->z, net->f, s);
            scatter(layer, net->below, row, column);
        } else {
            tpsgd_update(layer->w, layer->x, net->z, m, layer->inputs, s);
        }
    }
}

/* Learn in the conv layers, from the last one back, from the feedback in the inputs of layer ``next`` */
static void learn_conv(tpsgd_network *net, const uint8_t *sample, const uint8_t *rates, int32_t next)
{
    const uint8_t *f = net->layer[next].x;
    for (int32_t l = next - 1; l >= 0 && rates[l]; l--) {
        const tpsgd_layer *layer = &net->layer[l];
        const uint8_t *source = l ? layer[-1].map : sample;
        const int sends = l && rates[l - 1];
        const size_t size = (size_t)layer->height_below * layer->line;
        if (sends)
            memset(net->below, 128, size);
        for (int32_t r = 0; r < layer->rows; r++)
            for (int32_t c = 0; c < layer->columns; c++)
                learn_window(net, layer, source, f + ((size_t)r * layer->columns + c) * layer->units, r, c, rates[l],
                             sends);
        if (sends)
            memcpy(layer[-1].map, net->below, size);
        f = source;
    }
}

/* Copy the patch of a temporal layer that ends with step t to its inputs; silence comes before the first step */
static void gather_steps(const tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *sample, int32_t t)
{
    const int32_t silent = t + 1 < layer->taps ? layer->taps - t - 1 : 0;
    const size_t C = (size_t)net->channels;
    memset(layer->x, 128, silent * C);
    memcpy(layer->x + silent * C, sample + (t + 1 - layer->taps + silent) * C, (layer->taps - silent) * C);
}

/* Run the T steps of a temporal layer. The largest activations of each segment go to the next layer's inputs. */
static void run_temporal(tpsgd_network *net, const uint8_t *sample)
{
    const tpsgd_layer *layer = &net->layer[0];
    const int32_t m = layer->units, K = layer->segments, T = net->steps;
    for (int32_t c = 0; c < K; c++) {
        uint8_t *largest = net->layer[1].x + (size_t)c * m, *place = layer->places + (size_t)c * m;
        const int32_t begin = c * T / K, end = (c + 1) * T / K;
        for (int32_t t = begin; t < end; t++) {
            gather_steps(net, layer, sample, t);
            forward(layer, net->z);
            for (int32_t i = 0; i < m; i++) {
                const uint8_t a = (uint8_t)(clamp(net->z[i]) + 128);
                if (t == begin || a > largest[i]) {
                    largest[i] = a;
                    place[i] = (uint8_t)(t - begin);
                }
            }
        }
    }
}

/* Learn from the feedback in the next layer's inputs: each filter at its position in each segment */
static void learn_temporal(tpsgd_network *net, const uint8_t *sample, int32_t s)
{
    const tpsgd_layer *layer = &net->layer[0];
    const int32_t m = layer->units, K = layer->segments, T = net->steps;
    for (int32_t c = 0; c < K; c++) {
        const uint8_t *f = net->layer[1].x + (size_t)c * m, *place = layer->places + (size_t)c * m;
        const int32_t begin = c * T / K, end = (c + 1) * T / K;
        for (int32_t t = begin; t < end; t++) {
            int gathered = 0;
            for (int32_t i = 0; i < m; i++) {
                const int32_t e = f[i] - 128;
                if (place[i] != t - begin || !e)
                    continue;
                if (!gathered)
                    gather_steps(net, layer, sample, t);
                gathered = 1;
                tpsgd_update(layer->w + (size_t)i * layer->inputs, layer->x, &e, 1, layer->inputs, s);
            }
        }
    }
}

/* One record: the forward pass, with the update of each layer right after its own part; feedback comes last */
static void run(tpsgd_network *net, const uint8_t *sample, int32_t y, const uint8_t *rates, uint8_t *result)
{
    int32_t first = 0;
    if (net->layer[0].kind == RECURRENT)
        first = run_recurrent(net, sample, y, rates, 0);
    else if (net->layer[0].kind == CONV)
        first = run_conv(net, sample, y, rates);
    else if (net->layer[0].kind == TEMPORAL)
        run_temporal(net, sample), first = 1;
    else
        memcpy(net->layer[0].x, sample, (size_t)net->steps * net->channels);
    const int32_t last = net->layers - 1;
    for (int32_t l = first; l < last; l++) {
        const tpsgd_layer *layer = &net->layer[l];
        uint8_t *a = net->layer[l + 1].x;
        forward(layer, net->z);
        for (int32_t i = 0; i < layer->units; i++)
            a[i] = (uint8_t)(clamp(net->z[i]) + 128);
        if (rates[l] && !learns_from_feedback(net, l)) {
            error(layer, a, net->z, y);
            tpsgd_update(layer->w, layer->x, net->z, layer->units, layer->inputs, rates[l]);
        }
    }
    forward(&net->layer[last], net->z);
    softmax(net->z, net->layer[last].units, y, result);
    if (!rates[last] || result[1] == 127) /* with p_y = 127 there is no error */
        return;
    if (backward_pass(net, last, first, rates, 0) >= first)
        return; /* the first layers do not learn from feedback */
    if (net->layer[0].kind == TEMPORAL)
        learn_temporal(net, sample, rates[0]);
    else if (net->layer[0].kind == CONV)
        learn_conv(net, sample, rates, first);
    else
        run_recurrent(net, sample, y, rates, 1);
}

static int32_t present_phase(const tpsgd_network *net)
{
    if (!net->total)
        return 0;
    uint64_t phase = (uint64_t)net->seen * (uint64_t)net->phases / net->total;
    return phase < (uint64_t)net->phases ? (int32_t)phase : net->phases - 1;
}

/* The answer of a model with prototypes (SPEC 1.11) */

static int32_t distance(const uint8_t *a, const uint8_t *b, int32_t n)
{
    int32_t sum = 0;
    for (int32_t j = 0; j < n; j++)
        sum += a[j] < b[j] ? b[j] - a[j] : a[j] - b[j];
    return sum;
}

/* The distance and the nearness of each class to the output's inputs */
static void measure(const tpsgd_prototypes *known, const tpsgd_layer *output)
{
    const int32_t n = output->inputs - 1, N = output->units;
    int32_t least = FAR, sum = 0;
    for (int32_t c = 0; c < N; c++)
        known->distances[c] = FAR;
    for (int32_t k = 0; k < known->count; k++) {
        const int32_t c = known->labels[k];
        if (c == known->none)
            continue;
        const int32_t d = distance(output->x, known->vectors + (size_t)k * n, n);
        if (d < known->distances[c])
            known->distances[c] = d;
        if (d < least)
            least = d;
    }
    for (int32_t c = 0; c < N; c++) {
        const int32_t d = known->distances[c] == FAR ? TABLE_SIZE : (256 * (known->distances[c] - least) / known->mean) >> 1;
        known->nearness[c] = d < TABLE_SIZE ? SOFTMAX[d] : 0;
        sum += known->nearness[c];
    }
    for (int32_t c = 0; c < N && sum; c++)
        known->nearness[c] = (127 * known->nearness[c] + (sum >> 1)) / sum;
}

static int32_t score(const tpsgd_prototypes *known, int32_t c)
{
    if (known->distances[c] == FAR)
        return ANY_SCORE;
    const int32_t found = 256 * known->distances[c] / known->scales[c];
    return found < ANY_SCORE ? found : ANY_SCORE;
}

/* Replace the result of a test, for which the errors lie in z */
static void answer(tpsgd_network *net, int32_t y, uint8_t *result)
{
    const tpsgd_prototypes *known = net->known;
    const tpsgd_layer *output = &net->layer[net->layers - 1];
    const int32_t N = output->units, told = y == UNKNOWN ? result[0] : y;
    int32_t best = -1, top = 0;
    for (int32_t c = 0; c < N; c++)
        known->chances[c] = (c == told ? 127 : 0) - net->z[c];
    forward(output, net->z);
    if (known->way != NETWORK || known->score < ANY_SCORE)
        measure(known, output);
    for (int32_t c = 0; c < N; c++) {
        const int32_t value = known->way == NETWORK      ? net->z[c]
                              : known->way == PROTOTYPES ? -known->distances[c]
                                                         : known->chances[c] + known->nearness[c];
        if (c != known->none && (best < 0 || value > top))
            best = c, top = value;
    }
    if (known->none < N && (net->z[best] - net->z[known->none] < known->margin ||
                            (known->score < ANY_SCORE && score(known, best) > known->score)))
        best = known->none;
    y = y == UNKNOWN ? best : y;
    result[0] = (uint8_t)best;
    result[1] = (uint8_t)known->chances[y];
    if (y != known->none && known->way == PROTOTYPES)
        result[1] = (uint8_t)known->nearness[y];
    else if (y != known->none && known->way == BOTH)
        result[1] = (uint8_t)((known->chances[y] + known->nearness[y]) >> 1);
}

/* Practice with prototypes (SPEC 1.12) */

static int32_t between(int32_t v, int32_t low, int32_t high) { return v < low ? low : v > high ? high : v; }

static int32_t floored(int32_t a, int32_t b) { return a < 0 ? -((b - 1 - a) / b) : a / b; }

static void vary_words(tpsgd_network *net, const uint8_t *source, uint8_t *target)
{
    const int32_t T = net->steps, C = net->channels;
    uint32_t *g = &net->state;
    const int32_t d = draw(g, 5) - 2;
    int32_t w = draw(g, 321) - 160;
    const int32_t a = draw(g, 33) - 16, q = draw(g, 33) - 16, beside = w > 0 ? 1 : -1;
    int32_t offset[1040];
    w = w < 0 ? -w : w;
    for (int32_t c = 0; c < C; c++)
        offset[c] = draw(g, 25) - 12 + a + floored(q * (2 * c - C), C);
    for (int32_t t = 0; t < T; t++) {
        const uint8_t *row = source + (size_t)between(t - d, 0, T - 1) * C;
        for (int32_t c = 0; c < C; c++) {
            int32_t u = row[c];
            if (c + beside >= 0 && c + beside < C)
                u += ((row[c + beside] - u) * (w * c / C)) >> 8;
            *target++ = (uint8_t)between(u + offset[c] + draw(g, 25) - 12, 1, 255);
        }
    }
}

static void vary_motion(tpsgd_network *net, const uint8_t *source, uint8_t *target)
{
    const int32_t T = net->steps, C = net->channels, last = T - 1;
    uint32_t *g = &net->state;
    const int32_t d = draw(g, 3) - 1, w = draw(g, 33) - 16, s = draw(g, 33) - 16;
    int32_t k[3], x[1040];
    for (int32_t i = 0; i < 3; i++)
        k[i] = draw(g, 129) - 64;
    const int32_t a = 192 + draw(g, 129), bend = last * last / 4 > 1 ? last * last / 4 : 1;
    for (int32_t t = 0; t < T; t++) {
        const int32_t at = between(16 * (t - d) + ((w * (int32_t)((int64_t)t * (last - t) * 256 / bend)) >> 8) +
                                       floored(s * (2 * t - last), last > 1 ? last : 1),
                                   0, 16 * last);
        const uint8_t *row = source + (size_t)(at >> 4) * C, *after = row + (at & 15 ? C : 0);
        for (int32_t c = 0; c < C; c++)
            x[c] = row[c] + (((after[c] - row[c]) * (at & 15)) >> 4) - 128;
        for (int32_t i = 0; i + 3 <= C; i += 3)
            for (int32_t j = 0; j < 3; j++) {
                int32_t *u = x + i + j, *v = x + i + (j + 1) % 3;
                *u -= (*v * k[j]) >> 8;
                *v += (*u * k[j]) >> 8;
            }
        for (int32_t c = 0; c < C; c++)
            *target++ = (uint8_t)(between(((x[c] * a) >> 8) + draw(g, 17) - 8, -127, 127) + 128);
    }
}

/* Write a varied sample; ``kind`` is WORDS or MOTION */
API void tpsgd_vary(tpsgd_network *net, int32_t kind, const uint8_t *source, uint8_t *target)
{
    if (kind == WORDS)
        vary_words(net, source, target);
    else
        vary_motion(net, source, target);
}

/* Train the output on its inputs x, (n - 1,) */
static void train_output(tpsgd_network *net, const uint8_t *x, int32_t y)
{
    const tpsgd_layer *output = &net->layer[net->layers - 1];
    uint8_t rates[MAX_LAYERS], result[2];
    find_rates(net, present_phase(net), rates);
    net->seen++;
    memcpy(output->x, x, (size_t)output->inputs - 1);
    forward(output, net->z);
    softmax(net->z, output->units, y, result);
    if (rates[net->layers - 1])
        tpsgd_update(output->w, output->x, net->z, output->units, output->inputs, rates[net->layers - 1]);
}

/* Write the places of a pass, shuffled; return their number */
static int32_t fill(tpsgd_network *net, const uint8_t *labels, int32_t kept, uint16_t *order)
{
    int32_t counts[256] = {0}, places = 0;
    uint8_t known[256] = {0};
    for (int32_t k = 0; k < net->known->count; k++)
        known[net->known->labels[k]] = 1;
    for (int32_t i = 0; i < kept; i++)
        counts[labels[i]]++;
    for (int32_t i = 0; i < kept; i++) {
        const int32_t k = counts[labels[i]];
        for (int32_t views = known[labels[i]] ? 1 : (VIEWS - 1 + k) / k; views; views--)
            order[places++] = (uint16_t)i;
    }
    for (int32_t k = 0; k < net->known->count; k++)
        order[places++] = (uint16_t)(kept + k);
    for (int32_t i = places; i > 1; i--) {
        const int32_t j = draw(&net->state, i);
        const uint16_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
    return places;
}

/* Practise ``count`` passes over the kept samples (kept, T*C), whose inputs of the output are (kept, n - 1). ``order``
 * has room for the places of a pass, ``varied`` for a sample. Return the number of places. */
API int32_t tpsgd_practise(tpsgd_network *net, int32_t kind, const uint8_t *samples, const uint8_t *inputs,
                           const uint8_t *labels, int32_t kept, int32_t count, uint16_t *order, uint8_t *varied)
{
    const size_t width = (size_t)net->steps * net->channels, n = (size_t)net->layer[net->layers - 1].inputs - 1;
    int32_t learned = 0;
    for (; count > 0; count--) {
        const int32_t places = fill(net, labels, kept, order);
        for (int32_t p = 0; p < places; p++, learned++) {
            const int32_t i = order[p];
            if (i >= kept) {
                train_output(net, net->known->vectors + n * (i - kept), net->known->labels[i - kept]);
            } else if (kind == STILL) {
                train_output(net, inputs + n * i, labels[i]);
            } else {
                uint8_t rates[MAX_LAYERS], result[2];
                tpsgd_vary(net, kind, samples + width * i, varied);
                find_rates(net, present_phase(net), rates);
                net->seen++;
                run(net, varied, labels[i], rates, result);
            }
        }
    }
    return learned;
}

/* The output's inputs for each of R samples, (R, n - 1) */
API void tpsgd_inputs(tpsgd_network *net, const uint8_t *data, int32_t R, uint8_t *inputs)
{
    const tpsgd_layer *output = &net->layer[net->layers - 1];
    const size_t width = (size_t)net->steps * net->channels, n = (size_t)output->inputs - 1;
    for (int32_t r = 0; r < R; r++) {
        uint8_t rates[MAX_LAYERS], result[2];
        find_rates(net, -1, rates);
        run(net, data + width * r, UNKNOWN, rates, result);
        memcpy(inputs + n * r, output->x, n);
    }
}

/* Apply R records in order */
API void tpsgd_apply(tpsgd_network *net, const uint8_t *ops, const uint8_t *labels, const uint8_t *data, int32_t R,
                     uint8_t *results)
{
    const size_t width = (size_t)net->steps * net->channels;
    for (int32_t r = 0; r < R; r++) {
        uint8_t rates[MAX_LAYERS];
        find_rates(net, ops[r] == TEST_OP ? -1 : present_phase(net), rates);
        if (ops[r] != TEST_OP)
            net->seen++;
        run(net, data + width * r, labels[r], rates, results + 2 * (size_t)r);
        if (net->known && ops[r] == TEST_OP)
            answer(net, labels[r], results + 2 * (size_t)r);
    }
}

/* A caller compares this with the size of its own structure before it trusts this build */
API uint32_t tpsgd_network_size(void) { return (uint32_t)sizeof(tpsgd_network); }

/* Some linkers want the entry of an extension module. This library is loaded by its path and never imported. */
API void *PyInit__trainer(void) { return NULL; }
