@ The inner loops in Thumb-1, for Cortex-M0 and M0+. loops_thumb.h says what the functions do and has their structures.
@ Cycles in remarks are those of a Cortex-M0+ that multiplies in one.

    .syntax unified
    .section .text.loops_thumb, "ax"
    .thumb

@ Save what a caller keeps, and r0: the structure's address lies at [sp].
.macro enter
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r0, r4-r7}
.endm

.macro leave
    pop {r0, r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
.endm

@ Centre inputs: r0 from, r1 to, r2 their number; return the sum. 6.3 cycles each.
    .thumb_func
tpsgd_centre:
    push {r4-r7, lr}
    movs r3, #0
    b 2f
1:  ldrb r4, [r0, #0]
    ldrb r5, [r0, #1]
    ldrb r6, [r0, #2]
    ldrb r7, [r0, #3]
    subs r4, #128
    subs r5, #128
    subs r6, #128
    subs r7, #128
    adds r3, r4
    adds r3, r5
    adds r3, r6
    adds r3, r7
    stm r1!, {r4-r7}
    adds r0, #4
2:  subs r2, #4
    bpl 1b
    adds r2, #4
    beq 4f
3:  ldrb r4, [r0, #0]
    subs r4, #128
    adds r3, r4
    stm r1!, {r4}
    adds r0, #1
    subs r2, #1
    bne 3b
4:  mov r0, r3
    pop {r4-r7, pc}

@ tpsgd_rows
    .equ ROWS_W, 0
    .equ ROWS_Z, 4
    .equ ROWS_Z_END, 8
    .equ ROWS_X, 12
    .equ ROWS_SECOND, 16
    .equ ROWS_THIRD, 20
    .equ ROWS_FOURTH, 24
    .equ ROWS_NEXT, 28
    .equ ROWS_KEEP, 32
    .equ ROWS_CORRECTION, 36
    .equ ROWS_SHIFT, 40
    .equ ROWS_END, 44
    .equ ROWS_SKIPPED, 48
    .equ ROWS_ODD, 52

@ Add the products of an input and four rows: 16 cycles.
.macro column x, at
    ldrb r7, [r0, #\at]
    muls r7, \x, r7
    add r8, r7
    ldrb r7, [r1, #\at]
    muls r7, \x, r7
    add r9, r7
    ldrb r7, [r2, #\at]
    muls r7, \x, r7
    add r10, r7
    ldrb r7, [r3, #\at]
    muls r7, \x, r7
    add r11, r7
.endm

.macro advance by
    adds r0, #\by
    adds r1, #\by
    adds r2, #\by
    adds r3, #\by
.endm

@ Sums of four rows at a time, sixteen inputs in a pass; the first pass begins in the middle and takes what is not a
@ multiple of them. r0-r3 their weights, r4 inputs, r5 and r6 two of them, r7 a weight, r8-r11 the sums, r12 where the
@ first pass begins, lr the end of the pairs of inputs.
.macro rows name, wide
    .thumb_func
\name:
    enter
    ldr r1, [r0, #ROWS_END]
    mov lr, r1
    ldr r1, [r0, #ROWS_SKIPPED]
    movs r2, #25
    muls r1, r2, r1
    adr r2, 2f
    adds r1, r2
    mov r12, r1
1:  ldr r7, [sp]
    ldr r4, [r7, #ROWS_Z]
    ldr r5, [r7, #ROWS_KEEP]
    ldr r6, [r7, #ROWS_CORRECTION]
    ldm r4!, {r0-r3}
    ands r0, r5
    ands r1, r5
    ands r2, r5
    ands r3, r5
    adds r0, r6
    adds r1, r6
    adds r2, r6
    adds r3, r6
    mov r8, r0
    mov r9, r1
    mov r10, r2
    mov r11, r3
    ldr r0, [r7, #ROWS_W]
    ldr r1, [r7, #ROWS_SECOND]
    ldr r2, [r7, #ROWS_THIRD]
    ldr r3, [r7, #ROWS_FOURTH]
    adds r1, r0
    adds r2, r1
    adds r3, r2
    ldr r4, [r7, #ROWS_X]
    mov pc, r12
    .balign 4
2:
    .irp at, 0, 2, 4, 6, 8, 10, 12, 14 @ 50 bytes each
    ldm r4!, {r5, r6}
    column r5, \at*\wide
    column r6, \at*\wide+\wide
    .endr
    advance 16*\wide
    cmp r4, lr
    beq 3f
    b 2b
3:  ldr r7, [sp]
    ldr r5, [r7, #ROWS_ODD]
    cmp r5, #0
    beq 4f
    ldm r4!, {r5}
    column r5, 0
    ldr r7, [sp]
4:  ldr r4, [r7, #ROWS_Z]
    ldr r5, [r7, #ROWS_SHIFT]
    mov r0, r8
    mov r1, r9
    mov r2, r10
    mov r6, r11
    asrs r0, r5
    asrs r1, r5
    asrs r2, r5
    asrs r6, r5
    stm r4!, {r0-r2, r6}
    str r4, [r7, #ROWS_Z]
    ldr r5, [r7, #ROWS_NEXT]
    adds r3, r5
    str r3, [r7, #ROWS_W]
    ldr r5, [r7, #ROWS_Z_END]
    cmp r4, r5
    beq 5f
    b 1b
5:  leave
.endm

    rows tpsgd_rows_wide, 2
    rows tpsgd_rows_narrow, 1

@ tpsgd_changes
    .equ CHANGES_W, 0
    .equ CHANGES_X, 4
    .equ CHANGES_E, 8
    .equ CHANGES_E_END, 12
    .equ CHANGES_ROW, 16
    .equ CHANGES_NEXT, 20
    .equ CHANGES_SHIFT, 24
    .equ CHANGES_END, 28
    .equ CHANGES_SKIPPED, 32

@ Change a weight by the product with the input in \x: 9 cycles. A shift leaves the last bit that it loses in the carry
@ flag, and adds it: that rounds. A change of at most 256 leaves the range where bits 8 to 15 become 0, and only there.
.macro change x, at, n
    muls \x, r2, \x
    asrs \x, r3
    ldrh r7, [r0, #\at]
    adcs \x, r7
    tst \x, r4
    beq .Llimit\n
.Lchanged\n:
    strh \x, [r0, #\at]
.endm

@ Out of range: 256 where bit 16 is 0, all ones where it is 1.
.macro limit x, n
.Llimit\n:
    lsrs \x, \x, #16
    negs \x, \x
    movs r7, #1
    lsls r7, r7, #8
    orrs \x, r7
    b .Lchanged\n
.endm

@ Rows of weights, sixteen in a pass, as above. r0 weight, r1 input, r2 error, r3 shift, with its highest bit set where
@ an input is left over, r4 0xFF00, r5 and r6 two inputs, r7 a weight; r8 the next error, r9 their end, r10 the first
@ input, r11 from the end of a row to the next one, r12 and lr as above.
    .thumb_func
tpsgd_change_rows:
    enter
    ldr r1, [r0, #CHANGES_X]
    mov r10, r1
    ldr r1, [r0, #CHANGES_E]
    mov r8, r1
    ldr r1, [r0, #CHANGES_E_END]
    mov r9, r1
    ldr r1, [r0, #CHANGES_NEXT]
    mov r11, r1
    ldr r1, [r0, #CHANGES_END]
    mov lr, r1
    ldr r1, [r0, #CHANGES_SKIPPED]
    movs r2, #15
    muls r1, r2, r1
    adr r2, 21f
    adds r1, r2
    mov r12, r1
    ldr r3, [r0, #CHANGES_SHIFT]
    ldr r0, [r0, #CHANGES_W]
    movs r4, #255
    lsls r4, r4, #8
    b 23f
    limit r5, 1
    limit r6, 2
    limit r5, 3
    limit r6, 4
    limit r5, 5
    limit r6, 6
    limit r5, 7
    limit r6, 8
    .balign 4
21: ldm r1!, {r5, r6} @ 30 bytes for two
    change r5, 0, 1
    change r6, 2, 2
    ldm r1!, {r5, r6}
    change r5, 4, 3
    change r6, 6, 4
    ldm r1!, {r5, r6}
    change r5, 8, 5
    change r6, 10, 6
    ldm r1!, {r5, r6}
    change r5, 12, 7
    change r6, 14, 8
    ldm r1!, {r5, r6}
    change r5, 16, 9
    change r6, 18, 10
    ldm r1!, {r5, r6}
    change r5, 20, 11
    change r6, 22, 12
    ldm r1!, {r5, r6}
    change r5, 24, 13
    change r6, 26, 14
    ldm r1!, {r5, r6}
    change r5, 28, 15
    change r6, 30, 16
    adds r0, #32
    cmp r1, lr
    bne 21b
    cmp r3, #0
    bpl 22f
    ldm r1!, {r5}
    change r5, 0, 17
22: add r0, r11
23: mov r1, r8
    cmp r1, r9
    beq 25f
    ldm r1!, {r2}
    mov r8, r1
    cmp r2, #0
    beq 24f
    mov r1, r10
    mov pc, r12
24: ldr r7, [sp]
    ldr r7, [r7, #CHANGES_ROW]
    adds r0, r7
    b 23b
    limit r5, 9
    limit r6, 10
    limit r5, 11
    limit r6, 12
    limit r5, 13
    limit r6, 14
    limit r5, 15
    limit r6, 16
    limit r5, 17
25: leave

@ tpsgd_columns
    .equ COLUMNS_W, 0
    .equ COLUMNS_X, 4
    .equ COLUMNS_X_END, 8
    .equ COLUMNS_E, 12
    .equ COLUMNS_E_END, 16
    .equ COLUMNS_ROW, 20
    .equ COLUMNS_SHIFT, 24
    .equ COLUMNS_BACK, 28
    .equ COLUMNS_FIRST, 32

@ Add a weight's product with the error to the feedback, and change the weight: 13 cycles.
.macro both at, sum, x, n
    ldrh r5, [r0, #\at]
    lsrs r6, r5, #8
    muls r6, r2, r6
    add \sum, r6
    mov r6, \x
    muls r6, r2, r6
    asrs r6, r3
    adcs r5, r6
    tst r5, r4
    beq .Llimit\n
.Lchanged\n:
    strh r5, [r0, #\at]
.endm

@ Store the feedback of a column, 0 where the input was saturated. r6 the input's place, r5 the shift.
.macro give at, sum, x
    mov r0, \sum
    asrs r0, r5
    cmp r0, #127
    ble 1f
    movs r0, #127
1:  adds r0, #127
    bpl 1f
    movs r0, #0
1:  adds r0, #1
    mov r1, \x
    adds r1, #127
    beq 2f
    cmp r1, #254
    bne 1f
2:  movs r0, #128
1:  strb r0, [r6, #\at]
.endm

@ Two columns at a time. r0 weight, r1 next error, r2 error, r3 shift, r4 0xFF00, r5 weight, r6 product; r8 and r9 the
@ feedback of the two, r10 and r11 their inputs, r12 bytes of a row, lr end of the errors.
    .thumb_func
tpsgd_change_columns:
    enter
    ldr r1, [r0, #COLUMNS_ROW]
    mov r12, r1
    ldr r1, [r0, #COLUMNS_E_END]
    mov lr, r1
    ldr r3, [r0, #COLUMNS_SHIFT]
    movs r4, #255
    lsls r4, r4, #8
10: ldr r7, [sp]
    ldr r6, [r7, #COLUMNS_X]
    ldrb r5, [r6, #0]
    subs r5, #128
    mov r10, r5
    ldrb r5, [r6, #1]
    subs r5, #128
    mov r11, r5
    ldr r5, [r7, #COLUMNS_FIRST]
    mov r8, r5
    mov r9, r5
    ldr r0, [r7, #COLUMNS_W]
    ldr r1, [r7, #COLUMNS_E]
11: ldm r1!, {r2}
    cmp r2, #0
    beq 12f
    both 0, r8, r10, 18
    both 2, r9, r11, 19
12: add r0, r12
    cmp r1, lr
    bne 11b
    ldr r7, [sp]
    ldr r6, [r7, #COLUMNS_X]
    ldr r5, [r7, #COLUMNS_BACK]
    give 0, r8, r10
    give 1, r9, r11
    ldr r0, [r7, #COLUMNS_W]
    adds r0, #4
    str r0, [r7, #COLUMNS_W]
    adds r6, #2
    str r6, [r7, #COLUMNS_X]
    ldr r0, [r7, #COLUMNS_X_END]
    cmp r6, r0
    bne 10b
    leave
    limit r5, 18
    limit r5, 19
