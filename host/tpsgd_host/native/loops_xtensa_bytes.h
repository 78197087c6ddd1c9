/* Instructions of Xtensa LX6 and LX7 that the ESP8266's assembler does not know, as macros of the assembler: their
 * bytes, with three registers. ESP32, ESP32-S2 and -S3 have them all. */

__asm__(".irp number, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "\t.set tpsgd_a\\number, \\number\n"
        "\t.endr\n"
        "\t.macro three code, to, from, other\n"
        "\t.byte tpsgd_\\other << 4, tpsgd_\\to << 4 | tpsgd_\\from, \\code\n"
        "\t.endm");

#define MIN "three 0x43, "
#define MAX "three 0x53, "
#define QUOS "three 0xd2, "

static inline int32_t smaller(int32_t a, int32_t b)
{
    int32_t found;
    __asm__(MIN "%0, %1, %2" : "=r"(found) : "r"(a), "r"(b));
    return found;
}

static inline int32_t larger(int32_t a, int32_t b)
{
    int32_t found;
    __asm__(MAX "%0, %1, %2" : "=r"(found) : "r"(a), "r"(b));
    return found;
}

static inline int32_t quotient(int32_t a, int32_t b)
{
    int32_t found;
    __asm__(QUOS "%0, %1, %2" : "=r"(found) : "r"(a), "r"(b));
    return found;
}
