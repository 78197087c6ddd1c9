/* Division, which many chips lack, and a module has no library. */

#if defined(__XTENSA__)
#include "loops_xtensa_bytes.h"
#endif

/* 0 <= n, 0 < d */
static int32_t divide(int32_t n, int32_t d)
{
#if defined(__XTENSA__)
    return quotient(n, d);
#elif defined(NO_DIVISION)
    uint32_t quotient = 0, rest = (uint32_t)n, by = (uint32_t)d;
    int32_t bit = 0;
    while (by <= rest >> 1)
        by <<= 1, bit++;
    for (; bit >= 0; bit--, by >>= 1) {
        quotient <<= 1;
        if (rest >= by)
            rest -= by, quotient |= 1;
    }
    return (int32_t)quotient;
#else
    return n / d;
#endif
}
