# Almost-Montgomery multiplication and squaring of eight numbers at once for x86-64 with AVX-512 IFMA, and the masked
# table lookup that goes with it.
#
#     void montgomery_mul_ifma_x8(uint64_t out[8 * digits], const uint64_t a[8 * digits], const uint64_t b[8 * digits],
#                                 const uint64_t n[8 * digits], const uint64_t n0[8], uint64_t digits,
#                                 uint64_t scratch[16 * digits]);
#     void montgomery_sqr_ifma_x8(uint64_t out[8 * digits], const uint64_t a[8 * digits], const uint64_t n[8 * digits],
#                                 const uint64_t n0[8], uint64_t digits, uint64_t scratch[16 * digits]);
#     void montgomery_select_ifma_x8(uint64_t out[8 * digits], const uint64_t table[8 * digits * entries],
#                                    uint64_t entries, const uint64_t index[8], uint64_t digits);
#
# Computes   out = a * b / R  mod n,  or  out = a * a / R  mod n,  in each lane with a modulus of its own, not fully reduced, with
#            R = 2^(52 * digits);   out = table[index]  in each lane with an index of its own.
#
# Form        digit i, of 52 bits, of the number in lane l is word 8*i + l: a vector holds the same digit of eight numbers, and no
#             lane ever meets another.
# Needs       a processor with AVX-512F and AVX-512 IFMA, and a system that keeps the registers (the caller's proof: `Ifma52` in
#             crates/modexp/src/cpu.rs).
# Inputs      digits 10 to 80, a multiple of 10; in each lane n odd, 4n < R, n0 = -1/n mod 2^64; a < 2n and b < 2n, or a < n and
#             b < R. Every digit is below 2^52. entries >= 1; index[l] < entries for lane l.
# Output      out < 2n, every digit below 2^52; out <= n if b is 1. An index that is not below entries selects zero. scratch
#             holds secrets afterwards: the caller wipes it.
# Aliasing    a = b and out = a, out = b are allowed. scratch must not overlap anything; out must not overlap n; table must not
#             overlap out.
# Memory      reads a, b, n [0 .. 8*digits-1] and n0 [0 .. 7], writes out [0 .. 8*digits-1], reads and writes scratch
#             [0 .. 16*digits-1], and 24 bytes of stack, which hold the caller's registers. The lookup reads index [0 .. 7] and the
#             whole table, ten digits of every entry at a time. Any alignment; 64 bytes is fastest.
# Clobbers    rax, rcx, rdx, rsi, rdi, r8-r11, zmm0-zmm31, k1, which are all zero at the end, the upper halves clean, and flags;
#             rbx, rbp, r12 are saved.
# Timing      constant time: branches and addresses depend on digits, entries and the pointers alone. n0, n and index may be secret.
#             None of the instructions has a time that depends on its operands.
# Algorithm   the full product first, then Montgomery's reduction, both in blocks of 10 x 10 digits as montgomery_adx.S does it
#             with limbs: ten digits of the running sum, the *window*, stay in registers and move up by one digit a row, ten
#             digits of one factor stay as well, and the other factor's digits pass by, one a row. Low halves go to ten digits of
#             the window, then the lowest of them is done, and high halves go to the ten above. The square computes each product
#             of two different digits once and doubles the sum (A. J. Menezes, P. C. van Oorschot, S. A. Vanstone, "Handbook of
#             Applied Cryptography", algorithm 14.16). In the reduction ten multiples of n, m = sum[i] * n0 mod 2^52, are found
#             by the rows of one block, whose lowest digits need no product: sum[i] + m * n[0] is the next multiple of 2^52, so
#             it carries (sum[i] + 2^52 - 1) / 2^52; the multiples then are the factor that stays for the other blocks of n.
#             S. Gueron, V. Krasnov, "Software Implementation of Modular Exponentiation, Using Advanced Vector Instructions
#             Architectures", WAIFI 2012, for the form and the bound.
# Bounds      a digit of the sum collects at most 2 * 80 halves of the product and 2 * 80 of the reduction, all below 2^52, and
#             a carry: below 2^61. out < (2n * 2n + R * n) / R < 2n, because 4n < R; and (R * n + n * R) / R = 2n for a < n, b < R.

#include "kernel.h"

#define out     rdi
#define a       rsi
#define b       rdx             /* mul: the block of b that is next */
#define n       rcx
#define n0      r8
#define bytes   r9              /* of a number: 64 * digits */
#define sum     r10             /* scratch */
#define dst     r11             /* where the window is in the sum */
#define src     rax             /* the digits that pass by */
#define src_end rbx
#define row     rbp             /* where in the sum this row of blocks begins */
#define row_end r12

        .intel_syntax noprefix
        .altmacro

# Registers by number: 0-9 the window, 10-19 a block, 20-29 the lowest block of n, 30 and 31 for passing through.
.macro LO accumulator, factor, operand
        vpmadd52luq zmm\accumulator, zmm\factor, zmm\operand
.endm
.macro HI accumulator, factor, operand
        vpmadd52huq zmm\accumulator, zmm\factor, zmm\operand
.endm
.macro LOAD register, pointer, digit
        vmovdqu64 zmm\register, [\pointer + 64*(\digit)]
.endm
.macro STORE register, pointer, digit
        vmovdqu64 [\pointer + 64*(\digit)], zmm\register
.endm
.macro CLEAR register
        vpxorq  zmm\register, zmm\register, zmm\register
.endm
.macro SUM to, register
        vpaddq  zmm\to, zmm\to, zmm\register
.endm
.macro CARRY_OF register, digit
        vpaddq  zmm\register, zmm\digit, [rip + .Lmask]{1to8}
        vpsrlq  zmm\register, zmm\register, 52
.endm
.macro QUOTIENT register, digit
        CLEAR   \register
        vpmadd52luq zmm\register, zmm\digit, [n0]
.endm

.macro LOAD_TEN first, pointer
        .set    i, 0
        .rept   10
        LOAD    %(\first + i), \pointer, %(i)
        .set    i, i + 1
        .endr
.endm
.macro STORE_TEN first, pointer
        .set    i, 0
        .rept   10
        STORE   %(\first + i), \pointer, %(i)
        .set    i, i + 1
        .endr
.endm

# Row k of a block:  dst[k], window = dst[k] + window + factor * block,  leaving out products with block[0 .. first-1]. Digit
# j of the window is in register (k + j) mod 10.
.macro ROW k, factor, first
        .set    j, \first
        .rept   10 - \first
        LO      %((\k + j) % 10), \factor, %(10 + j)
        .set    j, j + 1
        .endr
        STORE   \k, dst, \k
        LOAD    \k, dst, %(\k + 10)
        .set    j, \first
        .rept   10 - \first
        HI      %((\k + j + 1) % 10), \factor, %(10 + j)
        .set    j, j + 1
        .endr
.endm

# Ten rows for ten digits that pass by.
.macro BLOCK
        .set    k, 0
        .rept   10
        LOAD    %(30 + k % 2), src, %(k)
        ROW     %(k), %(30 + k % 2), 0
        .set    k, k + 1
        .endr
.endm
# The rows of the digits of a block times that block itself: products of different digits, once.
.macro TRIANGLE
        .set    k, 0
        .rept   10
        ROW     %(k), %(10 + k), %(k + 1)
        .set    k, k + 1
        .endr
.endm
# Ten rows that clear ten digits of the sum: row k has the multiple m of n that clears the lowest digit, and adds it. What the
# next multiple waits for comes first (n[1] * m, low half, and with the carry the high half of n[0] * m), then that multiple,
# and then the rest of the row.
.macro QUOTIENTS
        QUOTIENT 10, 0
        CARRY_OF 30, 0
        .set    k, 0
        .rept   10
        QUOTIENT_ROW %(k), %(10 + k), %((k + 1) % 10), %(30 + k % 2), %(30 + (k + 1) % 2)
        .set    k, k + 1
        .endr
.endm
.macro QUOTIENT_ROW k, m, next, carry, next_carry
        LO      \next, \m, 21
        HI      \carry, \m, 20
        SUM     \next, \carry
        .if     \k < 9
        QUOTIENT %(\m + 1), \next
        CARRY_OF \next_carry, \next
        .endif
        .set    j, 2
        .rept   8
        LO      %((\k + j) % 10), \m, %(20 + j)
        .set    j, j + 1
        .endr
        LOAD    \k, dst, %(\k + 10)
        .set    j, 1
        .rept   9
        HI      %((\k + j + 1) % 10), \m, %(20 + j)
        .set    j, j + 1
        .endr
.endm

.macro WIPE_VECTORS
        .set    i, 0
        .rept   32
        CLEAR   %(i)
        .set    i, i + 1
        .endr
        kxorw   k1, k1, k1
        vzeroupper
.endm

# The whole sum to zero. digits is even, so 2 * digits is a multiple of four.
.macro CLEAR_SUM
        CLEAR   0
        lea     dst, [sum + bytes*2]
        mov     src, sum
77:     STORE   0, src, 0
        STORE   0, src, 1
        STORE   0, src, 2
        STORE   0, src, 3
        add     src, 256
        cmp     src, dst
        jne     77b
.endm

.macro CARRY_DIGIT digit
        LOAD    0, row, \digit
        SUM     31, 0
        vpandq  zmm0, zmm31, zmm30
        vpsrlq  zmm31, zmm31, 52
        STORE   0, out, \digit
.endm
.macro DOUBLE_AND_ADD half, register, digit
        LOAD    \register, dst, \digit
        SUM     \register, \register
        \half   \register, 30, 30
        STORE   \register, dst, \digit
.endm
.macro KEEP to, pointer, digit
        vmovdqu64 zmm\to{k1}, [\pointer + 64*\digit]
.endm

        .section .rodata
        .p2align 3
.Lmask: .quad   0xfffffffffffff

        .text
        .globl  SYMBOL(montgomery_mul_ifma_x8)
        .hidden SYMBOL(montgomery_mul_ifma_x8)
        .type   SYMBOL(montgomery_mul_ifma_x8), @function
        .p2align 5
SYMBOL(montgomery_mul_ifma_x8):
        .cfi_startproc
        endbr64
        mov     sum, [rsp + 8]          # scratch, the seventh argument
        SAVE    rbx
        SAVE    rbp
        SAVE    r12
        shl     bytes, 6

# sum = a * b, a row of blocks for every ten digits of b.
        CLEAR_SUM
        mov     row, sum
        lea     row_end, [sum + bytes]
        lea     src_end, [a + bytes]
        .p2align 5
.Lmul_row:
        LOAD_TEN 10, b
        mov     dst, row
        LOAD_TEN 0, dst
        mov     src, a
        .p2align 5
.Lmul_block:
        BLOCK
        add     src, 640
        add     dst, 640
        cmp     src, src_end
        jne     .Lmul_block
        STORE_TEN 0, dst
        add     b, 640
        add     row, 640
        cmp     row, row_end
        jne     .Lmul_row

# Both routines: out = sum / R mod n. A row of blocks clears the lowest ten digits that are left of the sum.
.Lreduce:
        lea     src_end, [n + bytes]
        mov     row, sum
        lea     row_end, [sum + bytes]
        .p2align 5
.Lreduce_row:
        mov     dst, row
        LOAD_TEN 0, dst
        LOAD_TEN 20, n
        QUOTIENTS
        lea     src, [n + 640]
        cmp     src, src_end
        je      .Lreduce_top
        .p2align 5
.Lreduce_block:
        add     dst, 640
        BLOCK
        add     src, 640
        cmp     src, src_end
        jne     .Lreduce_block
.Lreduce_top:
        STORE_TEN 0, <dst + 640>
        add     row, 640
        cmp     row, row_end
        jne     .Lreduce_row

# The upper half of the sum, every digit below 2^52, to out.
        vpbroadcastq zmm30, [rip + .Lmask]
        CLEAR   31
        lea     row_end, [sum + bytes*2]
.Lcarry:
        .set    i, 0
        .rept   10
        CARRY_DIGIT %(i)
        .set    i, i + 1
        .endr
        add     row, 640
        add     out, 640
        cmp     row, row_end
        jne     .Lcarry

        WIPE_VECTORS
        RESTORE r12
        RESTORE rbp
        RESTORE rbx
        WIPE_GENERAL
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_mul_ifma_x8), . - SYMBOL(montgomery_mul_ifma_x8)

        .globl  SYMBOL(montgomery_sqr_ifma_x8)
        .hidden SYMBOL(montgomery_sqr_ifma_x8)
        .type   SYMBOL(montgomery_sqr_ifma_x8), @function
        .p2align 5
SYMBOL(montgomery_sqr_ifma_x8):
        .cfi_startproc
        endbr64
        SAVE    rbx
        SAVE    rbp
        SAVE    r12
        mov     sum, r9
        mov     bytes, r8
        shl     bytes, 6
        mov     n0, rcx
        mov     n, rdx

# sum = the products of a[i] and a[j] for i < j. A row of blocks begins on the diagonal with the triangle.
        CLEAR_SUM
        mov     row, sum
        mov     b, a
        lea     src_end, [a + bytes]
        .p2align 5
.Lsqr_row:
        LOAD_TEN 10, b
        mov     dst, row
        LOAD_TEN 0, dst
        TRIANGLE
        add     b, 640
        mov     src, b
        add     dst, 640
        cmp     src, src_end
        je      .Lsqr_top
        .p2align 5
.Lsqr_block:
        BLOCK
        add     src, 640
        add     dst, 640
        cmp     src, src_end
        jne     .Lsqr_block
.Lsqr_top:
        STORE_TEN 0, dst
        add     row, 1280
        cmp     b, src_end
        jne     .Lsqr_row

# sum = 2 * sum + the squares of the digits.
        mov     dst, sum
.Lsqr_double:
        .set    i, 0
        .rept   10
        LOAD    30, a, %(i)
        DOUBLE_AND_ADD LO, %(i % 4), %(2*i)
        DOUBLE_AND_ADD HI, %(4 + i % 4), %(2*i + 1)
        .set    i, i + 1
        .endr
        add     a, 640
        add     dst, 1280
        cmp     a, src_end
        jne     .Lsqr_double
        jmp     .Lreduce
        .cfi_endproc
        .size   SYMBOL(montgomery_sqr_ifma_x8), . - SYMBOL(montgomery_sqr_ifma_x8)

# out = table[index]: in each lane, every entry is loaded, and the one whose number equals index stays.
        .globl  SYMBOL(montgomery_select_ifma_x8)
        .hidden SYMBOL(montgomery_select_ifma_x8)
        .type   SYMBOL(montgomery_select_ifma_x8), @function
        .p2align 5
SYMBOL(montgomery_select_ifma_x8):
        .cfi_startproc
        endbr64
        vmovdqu64 zmm11, [rcx]
        mov     eax, 1
        vpbroadcastq zmm12, rax
        mov     r9, r8
        shl     r9, 6                   # bytes of an entry
.Lselect_ten:
        vpxorq  zmm10, zmm10, zmm10
        .set    i, 0
        .rept   10
        CLEAR   %(i)
        .set    i, i + 1
        .endr
        mov     rax, rsi
        mov     rcx, rdx
.Lselect_entry:
        vpcmpeqq k1, zmm10, zmm11
        vpaddq  zmm10, zmm10, zmm12
        .set    i, 0
        .rept   10
        KEEP    %(i), rax, %(i)
        .set    i, i + 1
        .endr
        add     rax, r9
        dec     rcx
        jnz     .Lselect_entry
        STORE_TEN 0, rdi
        add     rsi, 640
        add     rdi, 640
        sub     r8, 10
        jnz     .Lselect_ten
        WIPE_VECTORS
        WIPE_GENERAL
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_select_ifma_x8), . - SYMBOL(montgomery_select_ifma_x8)

        NOTES
