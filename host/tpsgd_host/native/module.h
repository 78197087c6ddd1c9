/* What every native module of MicroPython begins with: how it tells the interpreter of its functions, and what a function
 * for Python looks like.
 *
 * build.py compiles a module's one C file, links it to a piece of code that runs at any address, and writes the .mpy. The
 * code begins with ``tpsgd_module``, which makes a function object of each function listed here by KERNEL. Where they
 * lie in the code stands in the file's second constant, in the order of their names: uint16 each, 0 at the end.
 */

#include "micropython.h"

/* There is no library. A compiler calls these two for structures and loops as well. */

typedef uint32_t __attribute__((may_alias)) any_word;

__attribute__((noinline)) void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (!(((uintptr_t)to | (uintptr_t)from) & 3))
        for (; n >= 4; n -= 4, t += 4, f += 4)
            *(any_word *)t = *(const any_word *)f;
    while (n--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t n)
{
    uint8_t *t = to;
    while (n--)
        *t++ = (uint8_t)value;
    return to;
}

mp_word tpsgd_module(const mp_word *self, size_t count, size_t keywords, const mp_word *args)
    __attribute__((section(".text.begin"), used));

#if defined(__XTENSA__) /* constants lie before the function that takes them */
__asm__(".section .text.jump, \"ax\"\n\tj tpsgd_module\n\t.balign 4\n\t.text");
#endif

mp_word tpsgd_module(const mp_word *self, size_t count, size_t keywords, const mp_word *args)
{
    (void)count, (void)keywords, (void)args;
    const mp_word *functions = functions_of(self), *context = context_of(self);
    const uint16_t *names = (const uint16_t *)context[CONTEXT_NAMES];
    const uint8_t *offsets = (const uint8_t *)argument(self, constants_of(self)[1]);
    const uint8_t *code = (const uint8_t *)self[FUNCTION_CODE];
    mp_function_record record = {.kind = NATIVE_FUNCTION, .children = code};
    mp_word (*swap)(mp_word) = (mp_word(*)(mp_word))functions[SWAP_GLOBALS];
    const mp_word before = swap(context[CONTEXT_GLOBALS]);
    for (size_t i = 0; offsets[2 * i] | offsets[2 * i + 1]; i++) {
        record.code = code + (offsets[2 * i] | offsets[2 * i + 1] << 8);
        const mp_word made = ((mp_word(*)(const void *, const void *, const void *))functions[MAKE_FUNCTION])(
            &record, context, NULL);
        ((void (*)(size_t, mp_word))functions[STORE_GLOBAL])(names[i + 1], made); /* the first is the file's name */
    }
    swap(before);
    return none(self);
}

/* Functions for Python. Nobody checks the number of their arguments. INT and BYTES and the like read argument i. */

/* With SMALL, functions and all that they call are made for size, but for what is written in assembler. */
#if defined(SMALL)
#define FOR_PYTHON __attribute__((used, cold))
#else
#define FOR_PYTHON __attribute__((used))
#endif

#define KERNEL(name)                                                                                                   \
    mp_word tpsgd_py_##name(const mp_word *self, size_t count, size_t keywords, const mp_word *args)                   \
        FOR_PYTHON;                                                                                                    \
    mp_word tpsgd_py_##name(const mp_word *self, size_t count, size_t keywords, const mp_word *args)

#define UNUSED (void)count, (void)keywords
#define INT(i) ((int32_t)argument(self, args[i]))
#define BYTES(i) ((uint8_t *)argument(self, args[i]))
#define SUMS(i) ((int32_t *)argument(self, args[i]))
#define HALVES(i) ((uint16_t *)argument(self, args[i]))
#define SIGNED_HALVES(i) ((int16_t *)argument(self, args[i]))
#define WORDS(i) ((uint32_t *)argument(self, args[i]))
