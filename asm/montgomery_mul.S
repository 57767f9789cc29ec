# Montgomery multiplication for baseline x86-64 (mul, adc; no CPU feature beyond the first 64-bit processors).
#
#     void montgomery_mul(uint64_t out[limbs], const uint64_t a[limbs], const uint64_t b[limbs],
#                         const uint64_t n[limbs], uint64_t n0, uint64_t limbs);
#
# Computes   out = a * b / R  mod n   with R = 2^(64 * limbs).
#
# Inputs      limbs >= 1; n odd; n0 = -1/n mod 2^64; a < n; b any value below R. Limbs are little-endian.
# Output      out < n.
# Aliasing    a = b is allowed. out is the accumulator: it must not overlap a, b or n.
# Memory      reads a, b, n [0 .. limbs-1], reads and writes out [0 .. limbs-1], and 56 bytes of stack.
# Clobbers    rax, rcx, rdx, rsi, rdi, r8-r11, which are zero at the end, and flags; rbx, rbp, r12-r15 are saved. No vector
#             registers. n0 on the stack is overwritten.
# Timing      constant time: branches and addresses depend on limbs and the pointers alone, and mul, imul, add, adc, sbb
#             take the same time for all operands. n0 and n may be secret (RSA's primes).
# Algorithm   operand scanning, CIOS of C. K. Koc, T. Acar, B. S. Kaliski, "Analyzing and Comparing Montgomery
#             Multiplication Algorithms", IEEE Micro 16(3), 1996, with its two inner loops run side by side: a row adds
#             a * b[i] and m * n at once, each on a carry of its own, and stores the sum one limb lower. m is chosen so
#             that the lowest limb of that sum is zero, which makes the shift a division.
# Bounds      before and after each row  top:out < a + n < 2 * 2^(64 * limbs),  so top is 0 or 1. A product plus two
#             additions fits its double limb: (2^64-1)^2 + 2 * (2^64-1) = 2^128 - 1.

#include "kernel.h"

#define out     rdi             /* the accumulator; in the rows: its end */
#define a       rsi             /* in the rows: its end */
#define n       rcx             /* in the rows: its end */
#define n0      r8              /* only until it is on the stack */
#define sum     r8              /* one column of the row a * b[i], on its way into the other row */
#define limbs   r9              /* from the rows on: -limbs, the first index */
#define b       r10
#define b_end   r15
#define digit   r11             /* b[i] */
#define m       rbp             /* the multiple of n that clears the lowest limb */
#define carry_a rbx             /* carry of the row a * b[i] */
#define carry_n r12             /* carry of the row m * n */
#define top     r13             /* the limb above out, 0 or 1 */
#define j       r14             /* from -limbs up to 0, so that the end of the loop is a zero flag */
#define mask    rbp             /* after the rows: all ones where n is to be subtracted */

# One column: out[j-1] = low limb of (a[j] * digit + out[j] + carry_a) + m * n[j] + carry_n, and the two carries.
# Adding out[j] before the carry keeps that addition off the chain of carries.
.macro COLUMN offset
        mov     rax, [a + j*8 + \offset]
        mul     digit
        add     rax, [out + j*8 + \offset]
        adc     rdx, 0
        add     rax, carry_a
        adc     rdx, 0
        mov     sum, rax
        mov     carry_a, rdx
        mov     rax, [n + j*8 + \offset]
        mul     m
        add     rax, sum
        adc     rdx, 0
        add     rax, carry_n
        adc     rdx, 0
        mov     carry_n, rdx
        mov     [out + j*8 + \offset - 8], rax
.endm

        .intel_syntax noprefix
        .text
        .globl  SYMBOL(montgomery_mul)
        .hidden SYMBOL(montgomery_mul)
        .type   SYMBOL(montgomery_mul), @function
        .p2align 5
SYMBOL(montgomery_mul):
        .cfi_startproc
        endbr64
        push    rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        push    rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        push    r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        push    r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        push    r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        push    r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        push    n0                      # read once a row; its register is wanted
        .cfi_adjust_cfa_offset 8

# Pointers move to the ends of their arrays; rdx is needed by mul, so b moves out of it.
        mov     b, rdx
        lea     b_end, [rdx + limbs*8]
        lea     out, [out + limbs*8]
        lea     a, [a + limbs*8]
        lea     n, [n + limbs*8]
        neg     limbs

        xor     top, top
        mov     j, limbs
.Lclear:
        mov     qword ptr [out + j*8], 0
        inc     j
        jnz     .Lclear

# One row a limb of b:  top:out = (top:out + a * b[i] + m * n) / 2^64.
.Lrow:
        mov     digit, [b]
        mov     rax, [a + limbs*8]
        mul     digit
        add     rax, [out + limbs*8]
        adc     rdx, 0
        mov     carry_a, rdx
        mov     m, rax
        imul    m, [rsp]                # times n0
        mov     carry_n, rax            # the sum that m * n[0] turns into zero
        mov     rax, [n + limbs*8]
        mul     m
        add     rax, carry_n
        adc     rdx, 0
        mov     carry_n, rdx
        mov     j, limbs
        inc     j

# The columns above: singly until j is a multiple of four (all of them at once if there was one limb), then by fours.
.Lalign:
        test    j, 3
        jz      .Laligned
        COLUMN  0
        inc     j
        jmp     .Lalign
.Laligned:
        test    j, j
        jz      .Lrow_end
.Lfours:
        COLUMN  0
        COLUMN  8
        COLUMN  16
        COLUMN  24
        add     j, 4
        jnz     .Lfours

.Lrow_end:
        xor     eax, eax
        add     carry_a, top
        adc     rax, 0
        add     carry_a, carry_n
        adc     rax, 0
        mov     [out - 8], carry_a
        mov     top, rax
        add     b, 8
        cmp     b, b_end
        jne     .Lrow

# top:out < 2n. Whether n has to be subtracted is the borrow of that subtraction, tried without storing it ...
        mov     j, limbs
        xor     eax, eax                # clears the carry flag
.Lcompare:
        mov     rdx, [out + j*8]
        sbb     rdx, [n + j*8]
        inc     j                       # leaves the carry flag alone
        jnz     .Lcompare
        sbb     top, 0                  # 0 if out >= n, else -1; never 1, because out < 2n
        mov     mask, top
        not     mask

# ... and the second pass subtracts n or zero, the same instructions either way.
        mov     j, limbs
        xor     eax, eax                # the borrow, 0 or -1
.Lsubtract:
        mov     rdx, [n + j*8]
        and     rdx, mask
        add     rax, rax                # the borrow becomes the carry flag again
        sbb     [out + j*8], rdx
        sbb     rax, rax
        inc     j
        jnz     .Lsubtract

        mov     qword ptr [rsp], 0      # n0
        add     rsp, 8
        .cfi_adjust_cfa_offset -8
        RESTORE r15
        RESTORE r14
        RESTORE r13
        RESTORE r12
        RESTORE rbp
        RESTORE rbx
        WIPE_GENERAL
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_mul), . - SYMBOL(montgomery_mul)

        NOTES
