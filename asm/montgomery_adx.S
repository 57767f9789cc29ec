# Montgomery multiplication and squaring for x86-64 with BMI2 (mulx) and ADX (adcx, adox).
#
#     void montgomery_mul_adx(uint64_t out[limbs], const uint64_t a[limbs], const uint64_t b[limbs], const uint64_t n[limbs],
#                             uint64_t n0, uint64_t limbs, uint64_t scratch[2 * limbs]);
#     void montgomery_sqr_adx(uint64_t out[limbs], const uint64_t a[limbs], const uint64_t n[limbs],
#                             uint64_t n0, uint64_t limbs, uint64_t scratch[2 * limbs]);
#
# Computes   out = a * b / R  mod n,  or  out = a * a / R  mod n,  not fully reduced, with R = 2^(64 * limbs).
#
# Needs       a processor with BMI2 and ADX (the caller's proof: `MulxAdx` in crates/modexp/src/cpu.rs).
# Inputs      limbs a positive multiple of 8; n odd; n0 = -1/n mod 2^64; a and b any values below R. Limbs are little-endian.
# Output      out < R; out <= n if b is 1. scratch holds secrets afterwards: the caller wipes it.
# Aliasing    a = b and out = a, out = b are allowed. scratch must not overlap anything; out must not overlap n.
# Memory      reads a, b, n [0 .. limbs-1], writes out [0 .. limbs-1], reads and writes scratch [0 .. 2*limbs-1],
#             and 144 bytes of stack, which hold pointers, sizes, n0 and one carry.
# Clobbers    rax, rcx, rdx, rsi, rdi, r8-r11, which are zero at the end, and flags; rbx, rbp, r12-r15 are saved. No vector
#             registers. n0 and the carry on the stack are overwritten.
# Timing      constant time: branches and addresses depend on limbs and the pointers alone, and mulx, imul, adcx, adox,
#             add, adc, sbb take the same time for all operands.
# Algorithm   the full product first, then Montgomery's reduction, both in blocks of 8 x 8 limbs. A block keeps eight limbs
#             of the running sum, the *window*, in r8-r15 and moves it up by one limb a row: mulx leaves the flags alone,
#             so the low halves of a row's products ride on the carry flag (adcx) and the high halves on the overflow
#             flag (adox), and neither chain waits for the other. The square computes each product of two different limbs
#             once and doubles the sum (A. J. Menezes, P. C. van Oorschot, S. A. Vanstone, "Handbook of Applied
#             Cryptography", algorithm 14.16).
# Bounds      a row adds one limb of dst and limb * 8 limbs to the window: (2^512-1) + (2^64-1) + (2^64-1)(2^512-1)
#             = 2^576 - 1, which is the limb that leaves and the next window, without a carry. The reduced sum is below
#             (R * R + R * n) / R = R + n, so that one subtraction where there is a carry keeps it below R (almost-Montgomery
#             multiplication: S. Gueron, "Efficient software implementations of modular exponentiation", Journal of
#             Cryptographic Engineering 2, 2012).

#include "kernel.h"

#define src     rsi             /* in a block: the eight limbs that every row multiplies */
#define dst     rdi             /* in a block: eight limbs of the sum, below the window */
#define digits  rcx             /* in a block: the eight limbs that are multiplied by, one a row */
#define zero    rbp             /* 0 while blocks run */
#define low     rax
#define high    rbx

# The frame, above the return address of a block while one runs.
#define OUT     rsp + 0
#define A       rsp + 8
#define A_END   rsp + 16
#define N       rsp + 24
#define N_END   rsp + 32
#define N0      rsp + 40
#define BYTES   rsp + 48        /* 8 * limbs */
#define SUM     rsp + 56        /* scratch */
#define LEFT    rsp + 64        /* rows of blocks still to do */
#define CARRY   rsp + 72        /* 0 or -1: the carry out of the rows reduced so far */
#define DIGITS  rsp + 80
#define FRAME   88

# One product of a row: the low half to this limb of the window, the high half to the next one. Where the product is left
# out (the square's triangle), the carry of the high halves still has to pass.
.macro TERM index, first, this, next
    .if \index >= \first
        mulx    high, low, [src + 8*\index]
        adcx    \this, low
        adox    \next, high
    .else
        adox    \next, zero
    .endif
.endm

# The last product's high half becomes the window's new top limb, in the register of the limb that left.
.macro TOP_TERM first, this, top
    .if 7 >= \first
        mulx    \top, low, [src + 56]
        adcx    \this, low
        adox    \top, zero
        adcx    \top, zero
    .else
        mov     \top, zero
        adox    \top, zero
    .endif
.endm

# Row k of a block:  dst[k], window = dst[k] + window + digits[k] * src,  leaving out products with src[0 .. first-1].
.macro ROW k, first, z0, z1, z2, z3, z4, z5, z6, z7
        mov     rdx, [digits + 8*\k]
        xor     eax, eax                # clears both carries
        adox    \z0, [dst + 8*\k]
        TERM    0, \first, \z0, \z1
        TERM    1, \first, \z1, \z2
        TERM    2, \first, \z2, \z3
        TERM    3, \first, \z3, \z4
        TERM    4, \first, \z4, \z5
        TERM    5, \first, \z5, \z6
        TERM    6, \first, \z6, \z7
        mov     [dst + 8*\k], \z0
        TOP_TERM \first, \z7, \z0
.endm

# Row k of a reduction: the multiple of n that clears the window's lowest limb, which is then dropped. The multiplier
# stays in dst[k] for the blocks above.
.macro REDUCE_ROW k, z0, z1, z2, z3, z4, z5, z6, z7
        mov     rdx, digits             # n0 here
        imul    rdx, \z0
        mov     [dst + 8*\k], rdx
        xor     eax, eax
        TERM    0, 0, \z0, \z1
        TERM    1, 0, \z1, \z2
        TERM    2, 0, \z2, \z3
        TERM    3, 0, \z3, \z4
        TERM    4, 0, \z4, \z5
        TERM    5, 0, \z5, \z6
        TERM    6, 0, \z6, \z7
        TOP_TERM 0, \z7, \z0
.endm

.macro CLEAR_WINDOW
        xor     r8d, r8d
        xor     r9d, r9d
        xor     r10d, r10d
        xor     r11d, r11d
        xor     r12d, r12d
        xor     r13d, r13d
        xor     r14d, r14d
        xor     r15d, r15d
.endm

.macro STORE_WINDOW at
        mov     [\at], r8
        mov     [\at + 8], r9
        mov     [\at + 16], r10
        mov     [\at + 24], r11
        mov     [\at + 32], r12
        mov     [\at + 40], r13
        mov     [\at + 48], r14
        mov     [\at + 56], r15
.endm

.macro LOAD_WINDOW at
        mov     r8, [\at]
        mov     r9, [\at + 8]
        mov     r10, [\at + 16]
        mov     r11, [\at + 24]
        mov     r12, [\at + 32]
        mov     r13, [\at + 40]
        mov     r14, [\at + 48]
        mov     r15, [\at + 56]
.endm

.macro SUBTRACT offset, limb
        mov     rcx, [dst + \offset]
        sbb     rcx, \limb
        mov     [rdx + \offset], rcx
.endm

# The lower half of the sum to zero, 64 bytes at a time; the upper half is written before it is read. zero is set.
.macro CLEAR_SUM
        mov     rdi, [SUM]
        mov     rax, [BYTES]
        add     rax, rdi
        xor     ebp, ebp
77:     .irp    offset, 0, 8, 16, 24, 32, 40, 48, 56
        mov     [rdi + \offset], zero
        .endr
        add     rdi, 64
        cmp     rdi, rax
        jne     77b
.endm

        .intel_syntax noprefix
        .text

# A block:  dst[0..7], window = dst[0..7] + window + digits[0..7] * src[0..7].
        .type   multiply_add_block, @function
        .p2align 5
multiply_add_block:
        .cfi_startproc
        ROW     0, 0, r8, r9, r10, r11, r12, r13, r14, r15
        ROW     1, 0, r9, r10, r11, r12, r13, r14, r15, r8
        ROW     2, 0, r10, r11, r12, r13, r14, r15, r8, r9
        ROW     3, 0, r11, r12, r13, r14, r15, r8, r9, r10
        ROW     4, 0, r12, r13, r14, r15, r8, r9, r10, r11
        ROW     5, 0, r13, r14, r15, r8, r9, r10, r11, r12
        ROW     6, 0, r14, r15, r8, r9, r10, r11, r12, r13
        ROW     7, 0, r15, r8, r9, r10, r11, r12, r13, r14
        ret
        .cfi_endproc
        .size   multiply_add_block, . - multiply_add_block

# out = a * b / R mod n
        .globl  SYMBOL(montgomery_mul_adx)
        .hidden SYMBOL(montgomery_mul_adx)
        .type   SYMBOL(montgomery_mul_adx), @function
        .p2align 5
SYMBOL(montgomery_mul_adx):
        .cfi_startproc
        endbr64
        mov     rax, [rsp + 8]          # scratch, the seventh argument
        SAVE    rbx
        SAVE    rbp
        SAVE    r12
        SAVE    r13
        SAVE    r14
        SAVE    r15
        sub     rsp, FRAME
        .cfi_adjust_cfa_offset FRAME
        mov     [OUT], rdi
        mov     [A], rsi
        mov     [DIGITS], rdx
        mov     [N], rcx
        mov     [N0], r8
        mov     [SUM], rax
        lea     rax, [r9*8]
        mov     [BYTES], rax
        add     rsi, rax
        mov     [A_END], rsi
        add     rcx, rax
        mov     [N_END], rcx
        shr     r9, 3
        mov     [LEFT], r9

# sum = a * b, a row of blocks for every eight limbs of b.
        CLEAR_SUM
        mov     dst, [SUM]
        mov     digits, [DIGITS]
.Lmul_row:
        mov     src, [A]
        CLEAR_WINDOW
.Lmul_block:
        call    multiply_add_block
        add     dst, 64
        add     src, 64
        cmp     src, [A_END]
        jne     .Lmul_block
        STORE_WINDOW dst
        add     digits, 64
        add     dst, 64                 # one block above where this row began
        sub     dst, [BYTES]
        dec     qword ptr [LEFT]
        jnz     .Lmul_row

# Both routines: out = sum / R mod n. A row of blocks clears the lowest eight limbs that are left of the sum.
.Lreduce:
        mov     rax, [BYTES]
        shr     rax, 6
        mov     [LEFT], rax
        mov     qword ptr [CARRY], 0
        mov     dst, [SUM]
.Lreduce_row:
        mov     src, [N]
        mov     digits, [N0]
        LOAD_WINDOW dst
        REDUCE_ROW 0, r8, r9, r10, r11, r12, r13, r14, r15
        REDUCE_ROW 1, r9, r10, r11, r12, r13, r14, r15, r8
        REDUCE_ROW 2, r10, r11, r12, r13, r14, r15, r8, r9
        REDUCE_ROW 3, r11, r12, r13, r14, r15, r8, r9, r10
        REDUCE_ROW 4, r12, r13, r14, r15, r8, r9, r10, r11
        REDUCE_ROW 5, r13, r14, r15, r8, r9, r10, r11, r12
        REDUCE_ROW 6, r14, r15, r8, r9, r10, r11, r12, r13
        REDUCE_ROW 7, r15, r8, r9, r10, r11, r12, r13, r14
        mov     digits, dst             # the eight multipliers
        add     dst, 64
        add     src, 64
        cmp     src, [N_END]
        je      .Lreduce_top
.Lreduce_block:
        call    multiply_add_block
        add     dst, 64
        add     src, 64
        cmp     src, [N_END]
        jne     .Lreduce_block
.Lreduce_top:
        mov     rax, [CARRY]
        add     rax, rax                # back to the carry flag
        adc     r8, [dst]
        adc     r9, [dst + 8]
        adc     r10, [dst + 16]
        adc     r11, [dst + 24]
        adc     r12, [dst + 32]
        adc     r13, [dst + 40]
        adc     r14, [dst + 48]
        adc     r15, [dst + 56]
        sbb     rax, rax
        mov     [CARRY], rax
        STORE_WINDOW dst
        add     dst, 64
        sub     dst, [BYTES]
        dec     qword ptr [LEFT]
        jnz     .Lreduce_row

# carry:sum < R + n, in the upper half, where dst points. n is subtracted if there is a carry, else zero: the same
# instructions either way.
        mov     rbp, [CARRY]            # the mask
        mov     rbx, [BYTES]
        shr     rbx, 6
        mov     src, [N]
        mov     rdx, [OUT]
        xor     eax, eax                # the borrow, 0 or -1
.Lsubtract:
        LOAD_WINDOW src
        .irp    limb, r8, r9, r10, r11, r12, r13, r14, r15
        and     \limb, rbp
        .endr
        add     rax, rax                # the borrow becomes the carry flag again
        SUBTRACT 0, r8
        SUBTRACT 8, r9
        SUBTRACT 16, r10
        SUBTRACT 24, r11
        SUBTRACT 32, r12
        SUBTRACT 40, r13
        SUBTRACT 48, r14
        SUBTRACT 56, r15
        sbb     rax, rax
        add     dst, 64
        add     src, 64
        add     rdx, 64
        dec     rbx
        jnz     .Lsubtract

        mov     qword ptr [N0], 0
        mov     qword ptr [CARRY], 0
        add     rsp, FRAME
        .cfi_adjust_cfa_offset -FRAME
        RESTORE r15
        RESTORE r14
        RESTORE r13
        RESTORE r12
        RESTORE rbp
        RESTORE rbx
        WIPE_GENERAL
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_mul_adx), . - SYMBOL(montgomery_mul_adx)

# out = a * a / R mod n
        .globl  SYMBOL(montgomery_sqr_adx)
        .hidden SYMBOL(montgomery_sqr_adx)
        .type   SYMBOL(montgomery_sqr_adx), @function
        .p2align 5
SYMBOL(montgomery_sqr_adx):
        .cfi_startproc
        endbr64
        SAVE    rbx
        SAVE    rbp
        SAVE    r12
        SAVE    r13
        SAVE    r14
        SAVE    r15
        sub     rsp, FRAME
        .cfi_adjust_cfa_offset FRAME
        mov     [OUT], rdi
        mov     [A], rsi
        mov     [DIGITS], rsi
        mov     [N], rdx
        mov     [N0], rcx
        mov     [SUM], r9
        lea     rax, [r8*8]
        mov     [BYTES], rax
        add     rsi, rax
        mov     [A_END], rsi
        add     rdx, rax
        mov     [N_END], rdx
        mov     [LEFT], r8

# sum = the products of a[i] and a[j] for i < j. A row of blocks begins on the diagonal with the triangle above it.
        CLEAR_SUM
        mov     dst, [SUM]
        mov     digits, [DIGITS]
.Lsqr_row:
        mov     src, digits
        CLEAR_WINDOW
        ROW     0, 1, r8, r9, r10, r11, r12, r13, r14, r15
        ROW     1, 2, r9, r10, r11, r12, r13, r14, r15, r8
        ROW     2, 3, r10, r11, r12, r13, r14, r15, r8, r9
        ROW     3, 4, r11, r12, r13, r14, r15, r8, r9, r10
        ROW     4, 5, r12, r13, r14, r15, r8, r9, r10, r11
        ROW     5, 6, r13, r14, r15, r8, r9, r10, r11, r12
        ROW     6, 7, r14, r15, r8, r9, r10, r11, r12, r13
        ROW     7, 8, r15, r8, r9, r10, r11, r12, r13, r14
        add     dst, 64
        add     src, 64
        cmp     src, [A_END]
        je      .Lsqr_top
.Lsqr_block:
        call    multiply_add_block
        add     dst, 64
        add     src, 64
        cmp     src, [A_END]
        jne     .Lsqr_block
.Lsqr_top:
        STORE_WINDOW dst
        add     digits, 64
        mov     dst, digits             # twice as far into the sum as digits is into a
        sub     dst, [A]
        add     dst, dst
        add     dst, [SUM]
        cmp     digits, [A_END]
        jne     .Lsqr_row

# sum = 2 * sum + the squares of the limbs: doubling on the carry flag, adding on the overflow flag.
        mov     dst, [SUM]
        mov     src, [A]
        mov     rcx, [LEFT]
        xor     eax, eax                # clears both carries
.Lsqr_double:
        .irp    index, 0, 1, 2, 3
        mov     rdx, [src + 8*\index]
        mulx    high, low, rdx
        mov     r8, [dst + 16*\index]
        mov     r9, [dst + 16*\index + 8]
        adcx    r8, r8
        adcx    r9, r9
        adox    r8, low
        adox    r9, high
        mov     [dst + 16*\index], r8
        mov     [dst + 16*\index + 8], r9
        .endr
        lea     src, [src + 32]
        lea     dst, [dst + 64]
        lea     rcx, [rcx - 4]          # lea and jrcxz leave both flags alone
        jrcxz   .Lsqr_doubled
        jmp     .Lsqr_double
.Lsqr_doubled:
        jmp     .Lreduce
        .cfi_endproc
        .size   SYMBOL(montgomery_sqr_adx), . - SYMBOL(montgomery_sqr_adx)

        NOTES
