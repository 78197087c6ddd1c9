/* The trainer's inner loops on random layers, without an operating system or a library: do they compute what the plain
 * ones do, and in how many instructions? mps2.py compiles this for a Cortex-M in QEMU, and for the computer as well.
 *
 * It prints the CRC-32 of all that they leave, then for forward, its frozen form, update and backward the ticks of
 * COUNTED calls on a layer of 32 units and 61 inputs.
 */

#define TPSGD_MODULE
#include "trainer.c"

enum { CASES = 400, COUNTED = 16, MOST = 12, WIDEST = 200 };

void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    for (const uint8_t *f = from; n--;)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t n)
{
    for (uint8_t *t = to; n--;)
        *t++ = (uint8_t)value;
    return to;
}

#if defined(__arm__)
static long ask(int what, const void *about) /* the computer, by semihosting */
{
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = about;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void say(const char *text) { ask(4, text); }

#define TIMER ((volatile uint32_t *)0x40000000) /* control, value, reload; it counts down, 25 million a second */
static uint32_t clock_now(void) { return -TIMER[1]; }
#else
int puts(const char *);
static void say(const char *text) { puts(text); }
static uint32_t clock_now(void) { return 0; }
#endif

static void say_number(uint32_t v)
{
    char text[12];
    int at = 11;
    text[at] = 0;
    text[--at] = '\n';
    do
        text[--at] = (char)('0' + v % 10);
    while (v /= 10);
    say(text + at);
}

static uint32_t crc = 0xFFFFFFFF, seed = 1;

static void take(const void *data, size_t n)
{
    for (const uint8_t *p = data; n--; p++) {
        crc ^= *p;
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
}

static int32_t pick(int32_t n) { return draw(&seed, n); }

static uint16_t w[MOST * WIDEST + 4];
static uint8_t narrow[MOST * WIDEST + 4], x[WIDEST];
static int32_t e[32], z[32];

/* A layer of m units and n inputs: many at the ends of their ranges; errors up to ``most`` */
static void fill(int32_t m, int32_t n, int32_t most)
{
    static const uint16_t ends[] = {256, 257, 300, 65200, 65534, 65535};
    for (int32_t i = 0; i < m * n; i++) {
        w[i] = pick(4) ? (uint16_t)(256 + pick(65280)) : ends[pick(6)];
        narrow[i] = (uint8_t)(w[i] >> 8);
    }
    for (int32_t j = 0; j < n; j++)
        x[j] = pick(8) ? (uint8_t)(1 + pick(255)) : pick(2) ? 1 : 255;
    x[n - 1] = 255;
    for (int32_t i = 0; i < m; i++)
        e[i] = pick(4) ? pick(2 * most + 1) - most : pick(3) * most - most;
}

static void compare(void)
{
    for (int32_t i = 0; i < CASES; i++) {
        const int32_t m = 1 + pick(MOST), n = 1 + pick(i % 4 ? 40 : WIDEST), S = pick(16);
        const int32_t s = 1 + pick(15), r = 1 + pick(7), first = pick(2) ? 1 << r >> 1 : 0;
        fill(m, n, pick(2) ? 254 : 127);
        tpsgd_forward(w, x, z, m, n, S);
        take(z, 4 * (size_t)m);
        tpsgd_forward_narrow(narrow, x, z, m, n, S);
        take(z, 4 * (size_t)m);
        tpsgd_update(w, x, e, m, n, s);
        take(w, 2 * (size_t)(m * n));
        tpsgd_backward(w, x, e, m, n, s, r, first);
        take(w, 2 * (size_t)(m * n));
        take(x, (size_t)n);
    }
    say_number(~crc);
}

static void count(void)
{
    static uint16_t matrix[32 * 61];
    static uint8_t frozen[32 * 61], input[61];
    for (int32_t i = 0; i < 32 * 61; i++)
        matrix[i] = (uint16_t)(32896 + pick(8000) - 4000), frozen[i] = (uint8_t)(matrix[i] >> 8);
    for (int32_t j = 0; j < 61; j++)
        input[j] = (uint8_t)(2 + pick(253));
    for (int32_t i = 0; i < 32; i++)
        e[i] = 1 + pick(100);
    for (int32_t kind = 0; kind < 4; kind++) {
        const uint32_t before = clock_now();
        for (int32_t k = 0; k < COUNTED; k++)
            if (kind == 0)
                tpsgd_forward(matrix, input, z, 32, 61, 5);
            else if (kind == 1)
                tpsgd_forward_narrow(frozen, input, z, 32, 61, 5);
            else if (kind == 2)
                tpsgd_update(matrix, input, e, 32, 61, 9);
            else
                tpsgd_backward(matrix, input, e, 32, 61, 9, 4, 0);
        say_number(clock_now() - before);
    }
}

int main(void)
{
#if defined(__arm__)
    TIMER[2] = TIMER[1] = 0xFFFFFFFF;
    TIMER[0] = 1;
#endif
    compare();
    count();
#if defined(__arm__)
    ask(0x18, (const void *)0x20026); /* the program has ended */
#endif
    return 0;
}

#if defined(__arm__)
extern int main(void);
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {(void *)0x20100000, (void *)main};
#endif
