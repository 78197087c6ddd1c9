/* The yardstick of `tpsgd-host bench`: the trainer in C, compiled at -O2 without vectorizing, timed by itself.
 *
 * usage: yardstick M N STEPS
 * prints the nanoseconds of one forward pass and one update of an M x N matrix and of one training step of the net
 * 60-32-16-6, the best of five rounds each.
 */

#define _POSIX_C_SOURCE 199309L

#include "trainer.c"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 5, LAYERS = 3 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static uint16_t *weights(int cells)
{
    uint16_t *w = malloc(sizeof *w * (size_t)cells);
    for (int i = 0; i < cells; i++)
        w[i] = (uint16_t)(256 + i * 7919 % 65280);
    return w;
}

static uint8_t *inputs(int n)
{
    uint8_t *x = malloc((size_t)n);
    for (int j = 0; j < n; j++)
        x[j] = (uint8_t)(1 + j * 37 % 255);
    x[n - 1] = 255;
    return x;
}

static void kernels(int m, int n, int steps)
{
    uint16_t *w = weights(m * n);
    uint8_t *x = inputs(n);
    int32_t *z = calloc((size_t)m, sizeof *z);
    double forward = 1e18, update = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = now();
        for (int i = 0; i < steps; i++)
            tpsgd_forward(w, x, z, m, n, 5);
        double spent = (now() - begun) / steps;
        forward = spent < forward ? spent : forward;
        for (int i = 0; i < m; i++)
            z[i] = i % 2 ? 90 : -90;
        begun = now();
        for (int i = 0; i < steps; i++)
            tpsgd_update(w, x, z, m, n, 9);
        spent = (now() - begun) / steps;
        update = spent < update ? spent : update;
    }
    printf("%.1f %.1f ", forward, update);
}

static void step(int steps)
{
    static const int sizes[LAYERS + 1] = {60, 32, 16, 6};
    static int32_t z[32];
    static const uint8_t table[TABLE_SIZE] = {255, 200, 150, 100, 50, 20, 10, 5, 2, 1};
    tpsgd_network net = {.layers = LAYERS, .steps = 1, .channels = 60, .classes = 6, .z = z, .softmax = table};
    for (int i = 0; i < LAYERS; i++) {
        tpsgd_layer *layer = &net.layer[i];
        layer->kind = i == LAYERS - 1 ? OUTPUT : DENSE;
        layer->units = sizes[i + 1];
        layer->inputs = sizes[i] + 1;
        layer->shift = 5;
        layer->amplitude = i == LAYERS - 1 ? 0 : 100;
        layer->base = 12345;
        net.rates[i] = 9;
        layer->w = weights(layer->units * layer->inputs);
        layer->x = inputs(layer->inputs);
    }
    net.sample = net.layer[0].x;
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = now();
        for (int i = 0; i < steps; i++)
            run(&net, i % 6, TRAIN);
        double spent = (now() - begun) / steps;
        best = spent < best ? spent : best;
    }
    printf("%.1f\n", best);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    kernels(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]));
    step(atoi(argv[3]));
    return 0;
}
