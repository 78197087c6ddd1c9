/* The simulator's library: the trainer, with the records, the schedule and the practice of a run.
 *
 * Legend as in trainer.c. A course is a network with a run; the Python around it has checked labels and shapes.
 */

#include "trainer.c"

enum { NETWORK = 1, PROTOTYPES, BOTH };
enum { STILL, WORDS, MOTION, VIEWS = 12, FAR = 0x3FFFFFFF, ANY_SCORE = 65535 };

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
    tpsgd_network *net;
    const tpsgd_prototypes *known;          /* NULL where the model has none */
    uint32_t seen;                          /* training samples of this run so far */
    uint32_t total;                         /* number announced for the run; 0 unknown */
    int32_t phases;                         /* P */
    uint8_t shifts[MAX_LAYERS][MAX_PHASES]; /* s of each layer in each phase */
} tpsgd_course;

static int32_t present_phase(const tpsgd_course *course)
{
    if (!course->total)
        return 0;
    const uint64_t phase = (uint64_t)course->seen * (uint64_t)course->phases / course->total;
    return phase < (uint64_t)course->phases ? (int32_t)phase : course->phases - 1;
}

/* Count a training sample, and set s of each layer: 0 where it does not learn, also because the layer that sends
 * feedback does not */
static void next_sample(tpsgd_course *course)
{
    tpsgd_network *net = course->net;
    const int32_t phase = present_phase(course);
    for (int32_t l = net->layers - 1; l >= 0; l--) {
        net->rates[l] = course->shifts[l][phase];
        if (learns_from_feedback(net, l) && !net->rates[l + 1])
            net->rates[l] = 0;
    }
    course->seen++;
}

/* Learn or classify a sample; return predicted << 8 | p_y */
static int32_t apply(tpsgd_course *course, const uint8_t *sample, int32_t y, int32_t train)
{
    tpsgd_network *net = course->net;
    if (train)
        next_sample(course);
    memcpy(net->sample, sample, (size_t)net->steps * net->channels);
    return run(net, y, train ? TRAIN : 0);
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
static void measure(const tpsgd_prototypes *known, const tpsgd_layer *output, const uint8_t *table)
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
        known->nearness[c] = d < TABLE_SIZE ? table[d] : 0;
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
static void answer(const tpsgd_course *course, int32_t y, uint8_t *result)
{
    const tpsgd_network *net = course->net;
    const tpsgd_prototypes *known = course->known;
    const tpsgd_layer *output = &net->layer[net->layers - 1];
    const int32_t N = output->units, told = y == UNKNOWN ? result[0] : y;
    int32_t best = -1, top = 0;
    for (int32_t c = 0; c < N; c++)
        known->chances[c] = (c == told ? 127 : 0) - net->z[c];
    forward(output, net->z);
    if (known->way != NETWORK || known->score < ANY_SCORE)
        measure(known, output, net->softmax);
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

static void vary_words(int32_t T, int32_t C, uint32_t *g, const uint8_t *source, uint8_t *target)
{
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

static void vary_motion(int32_t T, int32_t C, uint32_t *g, const uint8_t *source, uint8_t *target)
{
    const int32_t last = T - 1;
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
API void tpsgd_vary(tpsgd_course *course, int32_t kind, const uint8_t *source, uint8_t *target)
{
    const tpsgd_network *net = course->net;
    (kind == WORDS ? vary_words : vary_motion)(net->steps, net->channels, net->state, source, target);
}

/* Vary R samples (R, T*C) as training samples ``first``, ``first + 1``, ... of a run whose draws begin at ``base``
 * (SPEC 1.13) */
API void tpsgd_vary_run(int32_t kind, int32_t T, int32_t C, uint32_t base, uint32_t first, const uint8_t *source,
                        int32_t R, uint8_t *target)
{
    const size_t width = (size_t)T * C;
    for (int32_t r = 0; r < R; r++, source += width, target += width) {
        uint32_t state = mix(base + first + (uint32_t)r);
        if (draw(&state, 10))
            (kind == WORDS ? vary_words : vary_motion)(T, C, &state, source, target);
        else
            memcpy(target, source, width);
    }
}

/* Train the output on its inputs x, (n - 1,) */
static void train_output(tpsgd_course *course, const uint8_t *x, int32_t y)
{
    const tpsgd_layer *output = &course->net->layer[course->net->layers - 1];
    next_sample(course);
    memcpy(output->x, x, (size_t)output->inputs - 1);
    run(course->net, y, TRAIN | ONLY_OUTPUT);
}

/* Write the places of a pass, shuffled; return their number */
static int32_t fill(tpsgd_course *course, const uint8_t *labels, int32_t kept, uint16_t *order)
{
    int32_t counts[256] = {0}, places = 0;
    uint8_t known[256] = {0};
    for (int32_t k = 0; k < course->known->count; k++)
        known[course->known->labels[k]] = 1;
    for (int32_t i = 0; i < kept; i++)
        counts[labels[i]]++;
    for (int32_t i = 0; i < kept; i++) {
        const int32_t k = counts[labels[i]];
        for (int32_t views = known[labels[i]] ? 1 : (VIEWS - 1 + k) / k; views; views--)
            order[places++] = (uint16_t)i;
    }
    for (int32_t k = 0; k < course->known->count; k++)
        order[places++] = (uint16_t)(kept + k);
    for (int32_t i = places; i > 1; i--) {
        const int32_t j = draw(course->net->state, i);
        const uint16_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
    return places;
}

/* Practise ``count`` passes over the kept samples (kept, T*C), whose inputs of the output are (kept, n - 1). ``order``
 * has room for the places of a pass, ``varied`` for a sample. Return the number of places. */
API int32_t tpsgd_practise(tpsgd_course *course, int32_t kind, const uint8_t *samples, const uint8_t *inputs,
                           const uint8_t *labels, int32_t kept, int32_t count, uint16_t *order, uint8_t *varied)
{
    const tpsgd_network *net = course->net;
    const size_t width = (size_t)net->steps * net->channels, n = (size_t)net->layer[net->layers - 1].inputs - 1;
    int32_t learned = 0;
    for (; count > 0; count--) {
        const int32_t places = fill(course, labels, kept, order);
        for (int32_t p = 0; p < places; p++, learned++) {
            const int32_t i = order[p];
            if (i >= kept) {
                train_output(course, course->known->vectors + n * (i - kept), course->known->labels[i - kept]);
            } else if (kind == STILL) {
                train_output(course, inputs + n * i, labels[i]);
            } else {
                tpsgd_vary(course, kind, samples + width * i, varied);
                apply(course, varied, labels[i], 1);
            }
        }
    }
    return learned;
}

/* The output's inputs for each of R samples, (R, n - 1) */
API void tpsgd_inputs(tpsgd_course *course, const uint8_t *data, int32_t R, uint8_t *inputs)
{
    const tpsgd_network *net = course->net;
    const tpsgd_layer *output = &net->layer[net->layers - 1];
    const size_t width = (size_t)net->steps * net->channels, n = (size_t)output->inputs - 1;
    for (int32_t r = 0; r < R; r++) {
        apply(course, data + width * r, UNKNOWN, 0);
        memcpy(inputs + n * r, output->x, n);
    }
}

/* Apply R records in order */
API void tpsgd_apply(tpsgd_course *course, const uint8_t *ops, const uint8_t *labels, const uint8_t *data, int32_t R,
                     uint8_t *results)
{
    const size_t width = (size_t)course->net->steps * course->net->channels;
    for (int32_t r = 0; r < R; r++, results += 2) {
        const int32_t result = apply(course, data + width * r, labels[r], ops[r] != TEST_OP);
        results[0] = (uint8_t)(result >> 8);
        results[1] = (uint8_t)result;
        if (course->known && ops[r] == TEST_OP)
            answer(course, labels[r], results);
    }
}

/* A caller compares these with the sizes that it knows before it trusts this build */
API uint32_t tpsgd_layout(void) { return (uint32_t)offsetof(tpsgd_network, layer) << 16 | sizeof(tpsgd_layer); }

API uint32_t tpsgd_course_size(void) { return (uint32_t)sizeof(tpsgd_course); }

/* Some linkers want the entry of an extension module. This library is loaded by its path and never imported. */
API void *PyInit__trainer(void) { return NULL; }
