/* The trainer of SPEC 1 in C99: of the host's simulator, and of the boards' engine ``native``, which module.c makes of it.
 * It computes the same bits as the other engines of the device package.
 *
 * Legend. R records, T steps, C channels, K readout steps, N classes, P phases of the model; m units, n inputs of a
 * layer, the bias counted (its input is the last one, always 127); D depth of the map that a conv layer reads.
 *
 *   w       (m, n) uint16, v + 32896: weights of a layer that learns; the high byte is hi + 128
 *           (m, n) uint8, hi + 128: weights of a frozen layer
 *   x       (n,) uint8, activation + 128; the last is 255
 *   z       (m,) int32: the sums of the forward pass, then the errors e in the same place
 *   h16     (m,) uint16, state of a leaky unit + 32768; h (m,) uint8, its activation + 128
 *   data    (R, T*C) uint8, results (R, 2) uint8: predicted class, p_y
 *
 * The structures hold pointers into buffers that Python owns; device/tpsgd/describe.py fills them in, on boards and on
 * the host. ">>" of a negative number must be an arithmetic shift, as it is with every compiler in use. Nothing here
 * checks its arguments: the caller has checked labels and shapes. There are no tables and no variables: a module for a
 * board is code alone.
 */

#include <stddef.h>
#include <stdint.h>

#if defined(TPSGD_MODULE) /* there is no library: module.c has these two */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
#else
#include <string.h>
#endif

#if defined(_WIN32)
#define API __declspec(dllexport)
#elif defined(TPSGD_MODULE)
#define API static __attribute__((noinline))
#else
#define API
#endif

enum { DENSE, RECURRENT, OUTPUT, CONV, TEMPORAL };
enum { LAST, READOUT, RANDOM, EVERY };
enum { TRAIN = 1, ONLY_OUTPUT = 2 };
enum { TEST_OP = 1, UNKNOWN = 255, MAX_LAYERS = 16, MAX_PHASES = 8, TABLE_SIZE = 100 };

typedef struct {
    uint16_t *h16; /* (m,) */
    uint8_t *h;    /* (m,) */
} tpsgd_state; /* of a recurrent layer */

typedef struct {
    uint8_t *places; /* (K, m): the step of a segment at which a filter is largest */
    uint8_t taps;    /* steps of the kernel */
    uint8_t segments; /* K */
} tpsgd_segments; /* of a temporal layer */

typedef struct {
    uint8_t *map;           /* (rows, columns, m) */
    uint16_t lines;         /* rows of the kernel */
    uint16_t span;          /* kernel columns * D */
    uint16_t line;          /* bytes of a row of the map that it reads */
    uint16_t height_below;  /* rows of that map */
    uint16_t stride;        /* rows between positions */
    uint16_t across;        /* bytes between positions in a row */
    uint16_t above, left;   /* zeros around that map: rows, bytes */
    uint16_t height, width; /* positions that pooling takes together, in both directions */
    uint16_t rows, columns; /* of its own map, after pooling */
    uint16_t regions, beside; /* regions in both directions */
    uint16_t ring;          /* rows of the ring that sums up the feedback to the map below */
} tpsgd_patches; /* of a conv layer */

typedef struct {
    void *w;
    uint8_t *x;       /* (n,) */
    const void *more; /* tpsgd_state, tpsgd_segments or tpsgd_patches */
    uint32_t base;    /* where the targets' generator starts */
    uint16_t units;   /* m */
    uint16_t inputs;  /* n */
    uint8_t kind;
    uint8_t frozen;
    uint8_t shift;     /* S of the forward pass */
    uint8_t leak;      /* k */
    uint8_t amplitude; /* A; 0 in a layer that learns from feedback, and in the output */
    uint8_t l1;        /* c; 0 for l2 */
    uint8_t feedback;  /* r of the feedback that it sends */
    uint8_t nearest;   /* 1 where that is rounded to nearest */
} tpsgd_layer;

typedef struct {
    uint8_t rates[MAX_LAYERS]; /* s of each layer in the present phase; 0: it does not learn */
    uint8_t *sample;           /* (T*C,) and a byte for a bias */
    int32_t *z;                /* (m,) of the widest layer */
    uint32_t *state;           /* the run's generator */
    const uint8_t *softmax;    /* (TABLE_SIZE,): floor(255*exp(-d/16) + 0.5) */
    uint8_t *top;              /* (m,) of the widest conv layer: largest activations of a region or a window */
    uint8_t *places;           /* (m,) of the widest conv layer: the position in the window */
    uint16_t *where;           /* (m,) of the widest conv layer: the position in the map, row by row */
    uint8_t *ring;             /* feedback to the map below, as many rows as a row of windows reaches */
    uint16_t layers;
    uint16_t steps;        /* T */
    uint16_t channels;     /* C */
    uint16_t classes;      /* N */
    uint8_t readout_steps; /* K; 0 without a recurrent layer */
    uint8_t update_at;     /* LAST..EVERY */
    tpsgd_layer layer[MAX_LAYERS];
} tpsgd_network;

#include "loops.h"

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

/* Parts of a step (SPEC 1.2, 1.3). Kernels are called by the same names on all engines. */

static void forward(const tpsgd_layer *layer, int32_t *z)
{
    if (layer->frozen)
        tpsgd_forward_narrow(layer->w, layer->x, z, layer->units, layer->inputs, layer->shift);
    else
        tpsgd_forward(layer->w, layer->x, z, layer->units, layer->inputs, layer->shift);
}

static void update(const tpsgd_layer *layer, const int32_t *e, int32_t s)
{
    tpsgd_update(layer->w, layer->x, e, layer->units, layer->inputs, s);
}

/* Update a layer, and replace its x with the feedback to the layer before; rounded to nearest in a conv layer */
static void backward(const tpsgd_layer *layer, const int32_t *e, int32_t s)
{
    const int32_t r = layer->feedback;
    tpsgd_backward(layer->w, layer->x, e, layer->units, layer->inputs, s, r, layer->nearest << (r - 1));
}

/* a_i = clamp(z_i) */
static void clamp_all(const int32_t *z, uint8_t *a, int32_t m)
{
    for (int32_t i = 0; i < m; i++)
        a[i] = (uint8_t)(clamp(z[i]) + 128);
}

/* e_i = loss'(t_i - a_i), with the targets of the column regenerated from the layer's seed; e must not overlap a */
static void error(const uint8_t *a, int32_t *e, int32_t m, int32_t amplitude, int32_t l1, uint32_t column)
{
    uint32_t s = mix(column), bits = 0;
    const int32_t twice = 2 * amplitude;
    for (int32_t i = 0; i < m; i++, bits >>= 1) {
        if (i % 32 == 0)
            bits = s = next_state(s);
        int32_t g = (twice & -(int32_t)(bits & 1)) - amplitude - (a[i] - 128);
        if (l1)
            g = g > 0 ? l1 : g < 0 ? -l1 : 0;
        e[i] = g;
    }
}

/* Learn from the targets of a column: a are the activations, z gets the errors */
static void learn(const tpsgd_layer *layer, const uint8_t *a, int32_t *z, int32_t column, int32_t s)
{
    error(a, z, layer->units, layer->amplitude, layer->l1, layer->base + (uint32_t)column);
    update(layer, z, s);
}

static void reset_state(uint8_t *h, uint16_t *h16, int32_t m)
{
    for (int32_t i = 0; i < m; i++) {
        h16[i] = 32768;
        h[i] = 128;
    }
}

/* h16 += (256*clamp(z) - h16) >> k; h = (h16 + 128) >> 8. 32768 in the stored h16 is 256 times the 128 in h. */
static void leak(const int32_t *z, uint16_t *h16, uint8_t *h, int32_t m, int32_t k)
{
    for (int32_t i = 0; i < m; i++) {
        int32_t now = h16[i];
        now += (256 * (clamp(z[i]) + 128) - now) >> k;
        h16[i] = (uint16_t)now;
        h[i] = (uint8_t)((now + 128) >> 8);
    }
}

/* Turn sums into errors 127*[i = y] - p_i; return predicted << 8 | p_y (of the predicted class with UNKNOWN) */
static int32_t softmax(const uint8_t *table, int32_t *z, int32_t m, int32_t y)
{
    int32_t best = 0;
    for (int32_t i = 1; i < m; i++)
        if (z[i] > z[best])
            best = i;
    const int32_t top = z[best];
    int32_t sum = 0;
    for (int32_t i = 0; i < m; i++) {
        int32_t d = (top - z[i]) >> 1;
        z[i] = d < TABLE_SIZE ? table[d] : 0;
        sum += z[i];
    }
    for (int32_t i = 0; i < m; i++)
        z[i] = -divide(127 * z[i] + (sum >> 1), sum);
    if (y == UNKNOWN)
        y = best;
    const int32_t p = -z[y];
    z[y] += 127;
    return best << 8 | p;
}

/* e_i = f_i; if ``masked``, 0 where z_i is saturated */
static void masked_error(const uint8_t *f, int32_t *z, int32_t m, int masked)
{
    for (int32_t i = 0; i < m; i++)
        z[i] = masked && (z[i] >= 127 || z[i] <= -127) ? 0 : f[i] - 128;
}

/* Keep the largest clamp(z_i), and the first place that has it; place 0 begins anew */
static void segment_max(const int32_t *z, uint8_t *largest, uint8_t *places, int32_t m, int32_t place)
{
    for (int32_t i = 0; i < m; i++) {
        const uint8_t a = (uint8_t)(clamp(z[i]) + 128);
        if (!place || a > largest[i]) {
            largest[i] = a;
            places[i] = (uint8_t)place;
        }
    }
}

/* e_i = f_i where the filter's place is that one, else 0; return 0 where all are 0. Without places: of all filters. */
static int32_t segment_error(const uint8_t *f, const uint8_t *places, int32_t *e, int32_t m, int32_t place)
{
    int32_t some = 0;
    for (int32_t i = 0; i < m; i++)
        some |= e[i] = !places || places[i] == place ? f[i] - 128 : 0;
    return some;
}

/* Whether layer l learns from feedback */
static int learns_from_feedback(const tpsgd_network *net, int32_t l)
{
    return l < net->layers - 1 && !net->layer[l].amplitude;
}

/* Learn from the errors of layer l in z, then from feedback in the layers before, back to ``lowest`` or to a layer that
 * sends none. Return the last layer that learned; lowest - 1 where its feedback goes to the layer before. */
static int32_t backward_pass(const tpsgd_network *net, int32_t l, int32_t lowest, int masked)
{
    for (;; l--) {
        const tpsgd_layer *layer = &net->layer[l];
        if (!l || !learns_from_feedback(net, l - 1) || !net->rates[l - 1]) {
            if (net->rates[l])
                update(layer, net->z, net->rates[l]);
            return l;
        }
        backward(layer, net->z, net->rates[l]);
        if (l == lowest)
            return l - 1;
        if (masked)
            forward(layer - 1, net->z);
        masked_error(layer->x, net->z, layer[-1].units, masked);
    }
}

/* The first readout step of a recurrent layer, on the stack. Until then no weight changes in a second run of the sample,
 * which begins there. Layers of more units in all are not kept, and run from the first step on again. */
enum { KEPT_UNITS = 64 };

typedef struct {
    uint16_t h16[KEPT_UNITS]; /* states before that step, layer after layer */
    uint8_t h[KEPT_UNITS];
    uint8_t a[KEPT_UNITS]; /* clamped sums of that step */
    int32_t units;         /* 0: nothing is kept */
} tpsgd_kept;

/* Keep the states of all recurrent layers, or bring them back */
static void keep_states(const tpsgd_network *net, tpsgd_kept *kept, int bring_back)
{
    int32_t at = 0;
    for (int32_t l = 0; net->layer[l].kind == RECURRENT; at += net->layer[l++].units) {
        const tpsgd_state *own = net->layer[l].more;
        const size_t m = net->layer[l].units;
        memcpy(bring_back ? own->h16 : kept->h16 + at, bring_back ? kept->h16 + at : own->h16, 2 * m);
        memcpy(bring_back ? own->h : kept->h + at, bring_back ? kept->h + at : own->h, m);
    }
}

/* Recurrent layers: run the T steps. The last one's K readout states go side by side to the next layer's inputs.
 * ``again``: feedback lies there instead, and the layers learn from it. Return the number of layers. */
static int32_t run_recurrent(const tpsgd_network *net, int32_t y, int train, int again, tpsgd_kept *kept)
{
    const int32_t T = net->steps, C = net->channels, K = net->readout_steps;
    int32_t learns = -1, layers = 0, done = 0, units = 0;
    for (; net->layer[layers].kind == RECURRENT; layers++) {
        const tpsgd_state *own = net->layer[layers].more;
        reset_state(own->h, own->h16, net->layer[layers].units);
        units += net->layer[layers].units;
        if (train && net->rates[layers] && !learns_from_feedback(net, layers))
            learns = net->update_at;
    }
    const int32_t chosen = learns == LAST ? T - 1 : learns == RANDOM ? draw(net->state, T) : -1;
    uint8_t *out = net->layer[layers].x;
    int32_t mark = divide(T, K) - 1;
    const int32_t first = mark;
    if (!again)
        kept->units = train && learns < 0 && units <= KEPT_UNITS ? units : 0;
    else if (kept->units)
        keep_states(net, kept, 1);
    for (int32_t t = again && kept->units ? first : 0; t < T; t++) {
        uint8_t *a = t == first && kept->units ? kept->a : NULL;
        if (a && !again)
            keep_states(net, kept, 0);
        const int now = t == chosen || learns == EVERY || (learns == READOUT && t == mark);
        const uint8_t *below = net->sample + t * C;
        int32_t width = C;
        for (int32_t l = 0; l < layers; l++) {
            const tpsgd_layer *layer = &net->layer[l];
            const tpsgd_state *own = layer->more;
            memcpy(layer->x, below, (size_t)width);
            memcpy(layer->x + width, own->h, (size_t)layer->units);
            if (a && again)
                for (int32_t i = 0; i < layer->units; i++)
                    net->z[i] = a[i] - 128;
            else
                forward(layer, net->z);
            leak(net->z, own->h16, own->h, layer->units, layer->leak);
            if (a && !again)
                clamp_all(net->z, a, layer->units);
            if (a)
                a += layer->units;
            if (now && net->rates[l])
                learn(layer, own->h, net->z, learns == READOUT ? done * net->classes + y : y, net->rates[l]);
            below = own->h;
            width = layer->units;
        }
        if (t != mark)
            continue;
        if (again) {
            masked_error(out + width * done, net->z, width, 1);
            backward_pass(net, layers - 1, 0, 1);
        } else {
            memcpy(out + width * done, below, (size_t)width);
        }
        done++;
        mark = divide((done + 1) * T, K) - 1;
    }
    return layers;
}

/* Conv layers. Row i of the patch at a position: which bytes of a map row it takes, and where they begin in the patch.
 * Return their number; 0 where the row lies outside the map. */
static int32_t piece(const tpsgd_patches *own, int32_t row, int32_t column, int32_t i, int32_t *line, int32_t *map,
                     int32_t *patch)
{
    const int32_t begin = column * own->across - own->left, end = begin + own->span;
    *line = row * own->stride - own->above + i;
    if (*line < 0 || *line >= own->height_below)
        return 0;
    *map = begin < 0 ? 0 : begin;
    *patch = i * own->span + (begin < 0 ? -begin : 0);
    return (end > own->line ? own->line : end) - *map;
}

/* Copy the patch at a position of a map to the layer's inputs */
static void gather(const tpsgd_layer *layer, const uint8_t *source, int32_t row, int32_t column)
{
    const tpsgd_patches *own = layer->more;
    int32_t line, map, patch;
    if (own->above || own->left)
        memset(layer->x, 128, (size_t)layer->inputs - 1);
    for (int32_t i = 0; i < own->lines; i++) {
        const int32_t size = piece(own, row, column, i, &line, &map, &patch);
        if (size)
            memcpy(layer->x + patch, source + line * own->line + map, (size_t)size);
    }
}

/* Store activations in a map, where they are larger than those stored there; with ``first``, all of them */
static void max_pool(const uint8_t *a, uint8_t *target, int32_t m, int first)
{
    for (int32_t i = 0; i < m; i++)
        if (first || a[i] > target[i])
            target[i] = a[i];
}

/* Track the largest of each of m activations, and its position; of equal ones the last counts */
static void track_max(const uint8_t *a, uint8_t *top, uint16_t *where, int32_t m, int32_t position)
{
    for (int32_t i = 0; i < m; i++)
        if (a[i] >= top[i]) {
            top[i] = a[i];
            where[i] = (uint16_t)position;
        }
}

/* Fill the cell (r, c) of a conv layer's map; with ``where``, track where each filter is strongest */
static void run_window(const tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *source, int32_t r, int32_t c,
                       uint16_t *where)
{
    const tpsgd_patches *own = layer->more;
    const int32_t m = layer->units;
    uint8_t *cell = own->map + (r * own->columns + c) * m;
    memset(cell, 0, (size_t)m);
    for (int32_t row = r * own->height; row < (r + 1) * own->height; row++)
        for (int32_t column = c * own->width; column < (c + 1) * own->width; column++) {
            gather(layer, source, row, column);
            forward(layer, net->z);
            for (int32_t i = 0; i < m; i++) {
                const uint8_t a = (uint8_t)(clamp(net->z[i]) + 128);
                if (a > cell[i])
                    cell[i] = a;
                if (where && a >= net->top[i]) {
                    net->top[i] = a;
                    where[i] = (uint16_t)(row * own->columns * own->width + column);
                }
            }
        }
}

/* Fill region (g, f) of a conv layer's map. With s > 0 each filter learns where in the region it was strongest. */
static void run_region(const tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *source, int32_t g, int32_t f,
                       int32_t y, int32_t s)
{
    const tpsgd_patches *own = layer->more;
    const int32_t positions = own->columns * own->width;
    if (s)
        memset(net->top, 0, layer->units);
    const int32_t bottom = divide((g + 1) * own->rows, own->regions), end = divide((f + 1) * own->columns, own->beside);
    for (int32_t r = divide(g * own->rows, own->regions); r < bottom; r++)
        for (int32_t c = divide(f * own->columns, own->beside); c < end; c++)
            run_window(net, layer, source, r, c, s ? net->where : NULL);
    if (!s)
        return;
    const int32_t column = (g * own->beside + f) * net->classes + y;
    error(net->top, net->z, layer->units, layer->amplitude, layer->l1, layer->base + (uint32_t)column);
    for (int32_t k = 0; k < layer->units; k++)
        if (net->z[k]) {
            const int32_t row = divide(net->where[k], positions);
            gather(layer, source, row, net->where[k] - row * positions);
            tpsgd_update((uint16_t *)layer->w + k * layer->inputs, layer->x, net->z + k, 1, layer->inputs, s);
        }
}

/* Run the conv layers. The last one's map goes to the next layer's inputs. Return the number of layers. */
static int32_t run_conv(const tpsgd_network *net, int32_t y, int train)
{
    int32_t l = 0, size = 0;
    const uint8_t *source = net->sample;
    for (; net->layer[l].kind == CONV; l++) {
        const tpsgd_layer *layer = &net->layer[l];
        const tpsgd_patches *own = layer->more;
        const int32_t s = train && !learns_from_feedback(net, l) ? net->rates[l] : 0;
        for (int32_t g = 0; g < own->regions; g++)
            for (int32_t f = 0; f < own->beside; f++)
                run_region(net, layer, source, g, f, y, s);
        source = own->map;
        size = own->rows * own->columns * layer->units;
    }
    if (net->layer[l].x != source)
        memcpy(net->layer[l].x, source, (size_t)size);
    return l;
}

/* Find the first largest of each filter's activations in a window, with the present weights */
static void find_places(const tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *source, int32_t r, int32_t c)
{
    const tpsgd_patches *own = layer->more;
    int32_t place = 0;
    for (int32_t row = r * own->height; row < (r + 1) * own->height; row++)
        for (int32_t column = c * own->width; column < (c + 1) * own->width; column++) {
            gather(layer, source, row, column);
            forward(layer, net->z);
            segment_max(net->z, net->top, net->places, layer->units, place++);
        }
}

/* Add activations to stored ones, clamped */
static void accumulate(const uint8_t *x, uint8_t *sum, int32_t n)
{
    for (int32_t j = 0; j < n; j++)
        sum[j] = (uint8_t)(clamp(sum[j] + x[j] - 256) + 128);
}

/* Move stored activations to a map; leave zeros */
static void flush(uint8_t *from, uint8_t *to, int32_t n)
{
    for (int32_t j = 0; j < n; j++) {
        to[j] = from[j];
        from[j] = 128;
    }
}

/* Add the feedback in a patch, which lies in the layer's inputs, to that of the rows of the map in the ring */
static void scatter(const tpsgd_layer *layer, uint8_t *ring, int32_t row, int32_t column)
{
    const tpsgd_patches *own = layer->more;
    int32_t line, map, patch;
    for (int32_t i = 0; i < own->lines; i++) {
        const int32_t size = piece(own, row, column, i, &line, &map, &patch);
        if (size) {
            line -= divide(line, own->ring) * own->ring;
            accumulate(layer->x + patch, ring + line * own->line + map, size);
        }
    }
}

/* Move rows out of the ring into the map below, from ``row`` on, up to ``end``; return the next row */
static int32_t empty(const tpsgd_layer *layer, uint8_t *ring, int32_t row, int32_t end)
{
    const tpsgd_patches *own = layer->more, *below = layer[-1].more;
    for (; row < end; row++) {
        const int32_t at = row - divide(row, own->ring) * own->ring;
        flush(ring + at * own->line, below->map + row * own->line, below->columns * layer[-1].units);
    }
    return row;
}

/* Learn from the feedback f of one window; sum up the feedback to the map below where ``sends`` */
static void learn_window(const tpsgd_network *net, const tpsgd_layer *layer, const uint8_t *source, const uint8_t *f,
                         int32_t r, int32_t c, int32_t s, int sends)
{
    const tpsgd_patches *own = layer->more;
    const int pooled = own->height * own->width > 1;
    int32_t place = 0;
    if (!segment_error(f, NULL, net->z, layer->units, 0))
        return;
    if (pooled)
        find_places(net, layer, source, r, c);
    for (int32_t row = r * own->height; row < (r + 1) * own->height; row++)
        for (int32_t column = c * own->width; column < (c + 1) * own->width; column++) {
            if (!segment_error(f, pooled ? net->places : NULL, net->z, layer->units, place++))
                continue;
            gather(layer, source, row, column);
            if (sends) {
                backward(layer, net->z, s);
                scatter(layer, net->ring, row, column);
            } else {
                update(layer, net->z, s);
            }
        }
}

/* Learn in the conv layers, from the last one back, from the feedback in the inputs of layer ``next`` */
static void learn_conv(const tpsgd_network *net, int32_t next)
{
    const uint8_t *f = net->layer[next].x;
    for (int32_t l = next - 1; l >= 0 && net->rates[l]; l--) {
        const tpsgd_layer *layer = &net->layer[l];
        const tpsgd_patches *own = layer->more;
        const uint8_t *source = l ? ((const tpsgd_patches *)layer[-1].more)->map : net->sample;
        const int sends = l && net->rates[l - 1];
        int32_t done = 0;
        for (int32_t r = 0; r < own->rows; r++) {
            if (sends)
                done = empty(layer, net->ring, done, r * own->height * own->stride - own->above);
            for (int32_t c = 0; c < own->columns; c++)
                learn_window(net, layer, source, f + (r * own->columns + c) * layer->units, r, c, net->rates[l], sends);
        }
        if (sends)
            empty(layer, net->ring, done, own->height_below);
        f = source;
    }
}

/* Copy the patch of a temporal layer that ends with step t to its inputs; silence comes before the first step */
static void gather_steps(const tpsgd_network *net, const tpsgd_layer *layer, int32_t t)
{
    const int32_t C = net->channels, taps = ((const tpsgd_segments *)layer->more)->taps;
    const int32_t silent = t + 1 < taps ? taps - t - 1 : 0;
    memset(layer->x, 128, (size_t)(silent * C));
    memcpy(layer->x + silent * C, net->sample + (t + 1 - taps + silent) * C, (size_t)((taps - silent) * C));
}

/* Run the T steps of a temporal layer. The largest activations of each segment go to the next layer's inputs.
 * ``again``: feedback lies there instead; learn from it, each filter at its place in each segment. */
static void run_temporal(const tpsgd_network *net, int again)
{
    const tpsgd_layer *layer = &net->layer[0];
    const tpsgd_segments *own = layer->more;
    const int32_t m = layer->units, T = net->steps;
    uint8_t *out = net->layer[1].x, *places = own->places;
    int32_t begin = 0;
    for (int32_t c = 0; c < own->segments; c++, out += m, places += m) {
        const int32_t end = divide((c + 1) * T, own->segments);
        for (int32_t t = begin; t < end; t++) {
            if (again && !segment_error(out, places, net->z, m, t - begin))
                continue;
            gather_steps(net, layer, t);
            if (again) {
                update(layer, net->z, net->rates[0]);
            } else {
                forward(layer, net->z);
                segment_max(net->z, out, places, m, t - begin);
            }
        }
        begin = end;
    }
}

/* One sample: the forward pass, with the update of each layer right after its own part; feedback comes last. ``what``:
 * TRAIN, and ONLY_OUTPUT where the output's inputs are there and no other layer learns. Return predicted << 8 | p_y,
 * found before learning. */
static int32_t run(const tpsgd_network *net, int32_t y, int32_t what)
{
    const int32_t kind = net->layer[0].kind, last = net->layers - 1, train = what & TRAIN;
    int32_t first = 0;
    tpsgd_kept kept;
    if (what & ONLY_OUTPUT)
        first = last;
    else if (kind == RECURRENT)
        first = run_recurrent(net, y, train, 0, &kept);
    else if (kind == CONV)
        first = run_conv(net, y, train);
    else if (kind == TEMPORAL)
        run_temporal(net, 0), first = 1;
    else if (net->layer[0].x != net->sample)
        memcpy(net->layer[0].x, net->sample, (size_t)(net->steps * net->channels));
    for (int32_t l = first; l < last; l++) {
        const tpsgd_layer *layer = &net->layer[l];
        forward(layer, net->z);
        clamp_all(net->z, layer[1].x, layer->units);
        if (train && net->rates[l] && !learns_from_feedback(net, l))
            learn(layer, layer[1].x, net->z, y, net->rates[l]);
    }
    forward(&net->layer[last], net->z);
    const int32_t result = softmax(net->softmax, net->z, net->layer[last].units, y);
    if (!train || !net->rates[last] || (result & 255) == 127) /* with p_y = 127 there is no error */
        return result;
    if (backward_pass(net, last, first, 0) >= first)
        return result; /* the first layers do not learn from feedback */
    if (kind == TEMPORAL)
        run_temporal(net, 1);
    else if (kind == CONV)
        learn_conv(net, first);
    else
        run_recurrent(net, y, 1, 1, &kept);
    return result;
}
