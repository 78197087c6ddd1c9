/* What a native module needs to know of MicroPython: .mpy version 6.3, that is firmware 1.23 and later.
 *
 * The interpreter calls a native function with its own function object, the number of arguments and keyword arguments,
 * and the arguments. All of these are words. Word 1 of a function object points to its context, word 3 to its code. A
 * context has the dictionary of the module's names in word 1, the table of the file's names (uint16 each) in word 2 and
 * that of its constants in word 3; the file's first constant is the interpreter's table of functions. A small integer n
 * is the word 2n + 1. The self-test at boot holds all of this against the firmware that runs.
 */

#include <stddef.h>
#include <stdint.h>

typedef uintptr_t mp_word;

enum { FUNCTION_CONTEXT = 1, FUNCTION_CODE = 3 };
enum { CONTEXT_GLOBALS = 1, CONTEXT_NAMES = 2, CONTEXT_CONSTANTS = 3 };

/* Entries of the table of functions */
enum {
    NONE = 0,
    NATIVE_FROM_OBJECT = 3,
    NATIVE_TO_OBJECT = 4,
    SWAP_GLOBALS = 5,
    STORE_GLOBAL = 13,
    MAKE_FUNCTION = 26
};

/* Kinds for these two: an integer without sign, a pointer to a buffer's bytes */
enum { UNSIGNED = 3, POINTER = 5 };

/* The beginning of the record from which MAKE_FUNCTION makes a function. Function objects keep ``children``, and the
 * garbage collector follows it: here it is the beginning of the code, which no other pointer names. */
typedef struct {
    uint8_t marker[2];
    uint8_t kind;
    uint8_t generator;
    const void *code;
    const void *children;
    uint32_t rest[4];
} mp_function_record;

enum { NATIVE_FUNCTION = 4 }; /* the marker is 0 */

static inline const mp_word *context_of(const mp_word *self) { return (const mp_word *)self[FUNCTION_CONTEXT]; }

static inline const mp_word *constants_of(const mp_word *self)
{
    return (const mp_word *)context_of(self)[CONTEXT_CONSTANTS];
}

static inline const mp_word *functions_of(const mp_word *self) { return (const mp_word *)constants_of(self)[0]; }

static inline mp_word none(const mp_word *self) { return functions_of(self)[NONE]; }

static inline mp_word small(intptr_t n) { return (mp_word)n << 1 | 1; }

/* An argument: a small integer, or the address of a buffer's bytes */
static __attribute__((noinline)) intptr_t argument(const mp_word *self, mp_word object)
{
    if (object & 1)
        return (intptr_t)object >> 1;
    return ((intptr_t(*)(mp_word, mp_word))functions_of(self)[NATIVE_FROM_OBJECT])(object, POINTER);
}
