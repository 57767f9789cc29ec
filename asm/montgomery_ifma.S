# Almost-Montgomery multiplication for x86-64 with AVX-512 IFMA (vpmadd52luq, vpmadd52huq), and the masked table lookup.
#
#     void montgomery_mul_ifma(uint64_t out[8 * vectors], const uint64_t a[8 * vectors], const uint64_t b[8 * vectors],
#                              const uint64_t n[8 * vectors], uint64_t n0, uint64_t vectors, uint64_t lanes);
#     void montgomery_select_ifma(uint64_t out[8 * vectors], const uint64_t table[8 * vectors * entries],
#                                 uint64_t entries, uint64_t index, uint64_t vectors);
#
# Computes   out = a * b / R  mod n,  not fully reduced, with R = 2^(52 * vectors * lanes);   out = table[index].
#
# Form        a number is 8 * vectors digits of 52 bits. Digit vectors*lane + v is word 8*v + lane: a lane holds `vectors`
#             neighbouring digits, so that moving a number down by one digit renames the vectors, and only the lowest one
#             has to move its lanes.
# Needs       a processor with AVX-512F, AVX-512 IFMA and BMI2, and a system that keeps the registers (the caller's proof:
#             `Ifma52` in crates/modexp/src/cpu.rs).
# Inputs      vectors 3 to 10; lanes 1 to 8; n odd, 4n < R; n0 = -1/n mod 2^64; a < 2n and b < 2n, or a < n and b < R. Every digit is below
#             2^52. entries >= 1; index < entries.
# Output      out < 2n, every digit below 2^52; out <= n if b is 1. An index that is not below entries selects zero.
# Aliasing    everything allowed: out is written when all inputs have been read. table must not overlap out.
# Memory      reads a, b, n [0 .. 8*vectors-1], writes out likewise, and 56 bytes of stack (n0, a pointer, a count).
#             The lookup reads the whole table in order.
# Clobbers    rax, rcx, rdx, rsi, rdi, r8-r11, zmm0-zmm31, k1, k2, which are all zero at the end, the upper halves clean, and
#             flags; r12-r15 are saved. n0 on the stack is overwritten.
# Timing      constant time: branches and addresses depend on vectors, lanes, entries and the pointers alone. n0, n and index may be
#             secret.
# Algorithm   operand scanning as in montgomery_mul.S, one row a digit of b, in two sums: A collects a * b[i] and M
#             collects n * m[i], because A need not wait for m. The multiple m[i] comes from scalar registers: they add to
#             the digits of A and M what the row before put on them (n[0..1] * m[i-1]), before the vector unit is done with
#             that row. S. Gueron, V. Krasnov, "Software Implementation of Modular Exponentiation, Using Advanced Vector
#             Instructions Architectures", WAIFI 2012, for the vectors and the bound.
# Bounds      a digit of A or M collects at most 2 * 80 halves below 2^52: below 2^60. The digit sum t below 2^62.
#             out < (2n * 2n + R * n) / R < 2n, because 4n < R; and (R * n + n * R) / R = 2n for a < n, b < R.

#include "kernel.h"

#define b       rdi             /* the digit of the next row; a lane further after `vectors` rows */
#define a       rsi
#define n       r8
#define n_0     r9              /* the two lowest digits of n */
#define n_1     r10
#define m12     rdx             /* m * 2^12: the shift does the reductions modulo 2^52 */
#define t       rax             /* digit i of a*b + m*n so far, complete but for m[i] * n[0] */
#define x       r14             /* digit i, but for the carry of the row before */
#define high0   r13             /* that carry: the high half of m[i-1] * n[0] */
#define next    r15             /* digit i+1 of M without this row */
#define digit_mask r12          /* 2^52 - 1 */
#define low1    rcx             /* the low half of m * n[1]; also digit i of A */

# The frame.
#define N0_12   rsp + 0         /* n0 * 2^12 */
#define LANES   rsp + 8         /* lanes of b still to do: digits of b above them are zero */
#define OUT     rsp + 16
#define FRAME   24

        .intel_syntax noprefix
        .altmacro

# Registers by number, because they rotate. With V vectors: A in 0 .. V-1, M in V .. 2V-1, then the two broadcast factors,
# zero, and, up to V = 7, a and n; with more, four registers through which they pass.
.macro LO sum, factor, operand
        vpmadd52luq zmm\sum, zmm\factor, zmm\operand
.endm
.macro HI sum, factor, operand
        vpmadd52huq zmm\sum, zmm\factor, zmm\operand
.endm
.macro LOAD register, pointer, vector
        vmovdqu64 zmm\register, [\pointer + 64*\vector]
.endm
.macro STORE register, pointer, vector
        vmovdqu64 [\pointer + 64*\vector], zmm\register
.endm
.macro CLEAR register
        vpxorq  zmm\register, zmm\register, zmm\register
.endm
.macro SHIFT_LANES_DOWN register, zero
        valignq zmm\register, zmm\zero, zmm\register, 1
.endm
.macro SHIFT_LANES_UP to, register, zero
        valignq zmm\to, zmm\register, zmm\zero, 7
.endm
.macro BROADCAST register, from
        vpbroadcastq zmm\register, \from
.endm
.macro LANE_ZERO to, register
        vmovq   \to, xmm\register
.endm
.macro SUM to, register
        vpaddq  zmm\to, zmm\to, zmm\register
.endm

# sum = (sum + factor * operand) / 2^52 for the vectors sum .. sum+V-1, renamed by row: the low halves to digits 0 and up,
# the high halves to digits 1 and up, and the lowest digit is dropped. The register of vector v is ROTATED(v).
.macro ROTATED vectors, row, v
        .set    rotated, \v + \row - \vectors * ((\v + \row) / \vectors)
.endm
.macro ACCUMULATE vectors, row, sum, factor, registers, pointer
        .set    v, 0
        .rept   \vectors
        .if     \vectors > 7
        .set    operand, 2*\vectors + 3 + v - 4*(v/4)
        LOAD    %(operand), \pointer, %(v)
        .else
        .set    operand, \registers + v
        .endif
        ROTATED \vectors, \row, %(v)
        LO      %(\sum + rotated), \factor, %(operand)
        .if     v == 0 && \sum == 0
        LANE_ZERO low1, %(rotated)      /* digit i of A is complete */
        .endif
        .if     v < \vectors - 1
        ROTATED \vectors, \row, %(v + 1)
        HI      %(\sum + rotated), \factor, %(operand)
        .endif
        .set    v, v + 1
        .endr
        SHIFT_LANES_DOWN %(\sum + \row), %(2*\vectors + 2)
        HI      %(\sum + \row), \factor, %(operand)
.endm

# Row i: A += a * b[i], the multiple m[i], M += n * m[i], both moved down by one digit.
.macro ROW vectors, row
        BROADCAST %(2*\vectors), <qword ptr [b + 64*\row]>
        ACCUMULATE \vectors, \row, 0, %(2*\vectors), %(2*\vectors + 3), a

        add     x, low1
        lea     t, [x + high0]
        mov     m12, [N0_12]
        imul    m12, t
        mulx    high0, low1, n_0        # of m*n[0] only the high half matters: the low half makes t a multiple of 2^52
        mov     low1, n_1
        imul    low1, m12
        shr     low1, 12
        shr     m12, 12
        BROADCAST %(2*\vectors + 1), m12
        add     t, digit_mask           # t and m*n[0] add up to the next multiple of 2^52
        shr     t, 52
        lea     x, [next + low1]
        add     x, t

        ACCUMULATE \vectors, \row, \vectors, %(2*\vectors + 1), %(3*\vectors + 3), n
        ROTATED \vectors, \row, 2
        LANE_ZERO next, %(\vectors + rotated)
.endm

# Digits of the vectors 0 .. V-1 below 2^52, except that the topmost keeps its carry, which goes to register `carry`.
.macro CARRY_WITHIN_LANES vectors, mask, carry
        .set    v, 0
        .rept   \vectors
        SPLIT   %(v), \mask, \carry
        .set    v, v + 1
        .if     v < \vectors
        SUM     %(v), \carry
        .endif
        .endr
.endm
.macro SPLIT digit, mask, carry
        vpsrlq  zmm\carry, zmm\digit, 52
        vpandq  zmm\digit, zmm\digit, zmm\mask
.endm
.macro AND_ALL to, register
        vpandq  zmm\to, zmm\to, zmm\register
.endm
.macro COPY to, register
        vmovdqa64 zmm\to, zmm\register
.endm
.macro TEST_CARRIES carry, all, mask
        vptestmq k1, zmm\carry, zmm\carry
        vpcmpeqq k2, zmm\all, zmm\mask
.endm
.macro ADD_ONE_WHERE_CARRIED ones
        vpsubq  zmm0{k1}, zmm0, zmm\ones
.endm

# The routine for V vectors.
.macro MULTIPLY vectors
.Lmultiply_\vectors:
        mov     n_0, [n]
        .set    v, 0
        .rept   2*\vectors
        CLEAR   %(v)
        .set    v, v + 1
        .endr
        CLEAR   %(2*\vectors + 2)
        .if     \vectors <= 7
        .set    v, 0
        .rept   \vectors
        LOAD    %(2*\vectors + 3 + v), a, %(v)
        LOAD    %(3*\vectors + 3 + v), n, %(v)
        .set    v, v + 1
        .endr
        .endif
        .p2align 5
.Llane_\vectors:
        .set    row, 0
        .rept   \vectors
        ROW     \vectors, %(row)
        .set    row, row + 1
        .endr
        add     b, 8
        dec     qword ptr [LANES]
        jnz     .Llane_\vectors

# The sum of A and M and of the carry out of the digits that were dropped.
        .set    v, 0
        .rept   \vectors
        SUM     %(v), %(\vectors + v)
        .set    v, v + 1
        .endr
        FROM_SCALAR %(\vectors), t
        SUM     0, %(\vectors)

# Its digits have up to 61 bits. All of them pass their carry on once, then the carry runs through each lane; what is left
# is at most one carry out of a lane, and it passes through a following lane only if all digits of that are ones ...
        .set    mask, 2*\vectors
        .set    carry, 2*\vectors + 1
        .set    zero, 2*\vectors + 2
        BROADCAST %(mask), digit_mask
        .set    v, 0
        .rept   \vectors
        SPLIT   %(v), %(mask), %(\vectors + v)
        .set    v, v + 1
        .endr
        .set    v, 1
        .rept   \vectors - 1
        SUM     %(v), %(\vectors + v - 1)
        .set    v, v + 1
        .endr
        SHIFT_LANES_UP %(carry), %(2*\vectors - 1), %(zero)
        SUM     0, %(carry)
        CARRY_WITHIN_LANES \vectors, %(mask), %(carry)
        COPY    %(\vectors), 0
        .set    v, 1
        .rept   \vectors - 1
        AND_ALL %(\vectors), %(v)
        .set    v, v + 1
        .endr
        TEST_CARRIES %(carry), %(\vectors), %(mask)

# ... which one addition over all lanes finds: carries out of lanes, moved up, run through the lanes of ones.
        kmovw   ecx, k1
        kmovw   edx, k2
        lea     ecx, [rdx + rcx*2]
        xor     ecx, edx
        kmovw   k1, ecx
        ALL_ONES %(carry)
        ADD_ONE_WHERE_CARRIED %(carry)
        CARRY_WITHIN_LANES \vectors, %(mask), %(carry)

        mov     rcx, [OUT]
        .set    v, 0
        .rept   \vectors
        STORE   %(v), rcx, %(v)
        .set    v, v + 1
        .endr
        jmp     .Lwipe
.endm
.macro FROM_SCALAR register, from
        vmovq   xmm\register, \from
.endm
.macro ALL_ONES register
        vpternlogd zmm\register, zmm\register, zmm\register, 0xff
.endm

.macro WIPE
        .set    v, 0
        .rept   32
        CLEAR   %(v)
        .set    v, v + 1
        .endr
        kxorw   k1, k1, k1
        kxorw   k2, k2, k2
        vzeroupper
.endm

.macro DISPATCH vectors
        cmp     r9, \vectors
        je      .Lmultiply_\vectors
.endm

        .text
        .globl  SYMBOL(montgomery_mul_ifma)
        .hidden SYMBOL(montgomery_mul_ifma)
        .type   SYMBOL(montgomery_mul_ifma), @function
        .p2align 5
SYMBOL(montgomery_mul_ifma):
        .cfi_startproc
        endbr64
        mov     r11, [rsp + 8]          # lanes, the seventh argument
        SAVE    r12
        SAVE    r13
        SAVE    r14
        SAVE    r15
        sub     rsp, FRAME
        .cfi_adjust_cfa_offset FRAME
        mov     [OUT], rdi
        shl     r8, 12
        mov     [N0_12], r8
        mov     b, rdx
        mov     n, rcx
        mov     [LANES], r11
        mov     n_1, [n + 64]
        mov     digit_mask, 0xfffffffffffff
        xor     x, x
        xor     high0, high0
        xor     next, next
        DISPATCH 5
        DISPATCH 3
        DISPATCH 8
        DISPATCH 10
        DISPATCH 4
        DISPATCH 6
        DISPATCH 7
        DISPATCH 9
        ud2                             # not a number of vectors this file is written for

        MULTIPLY 3
        MULTIPLY 4
        MULTIPLY 5
        MULTIPLY 6
        MULTIPLY 7
        MULTIPLY 8
        MULTIPLY 9
        MULTIPLY 10

.Lwipe:
        WIPE
        mov     qword ptr [N0_12], 0
        add     rsp, FRAME
        .cfi_adjust_cfa_offset -FRAME
        RESTORE r15
        RESTORE r14
        RESTORE r13
        RESTORE r12
        WIPE_GENERAL
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_mul_ifma), . - SYMBOL(montgomery_mul_ifma)

# out = table[index]: every entry is loaded, and the one whose number equals index stays. zmm0-9 hold it, zmm10 the number
# of the entry, zmm11 the index, zmm12 ones.
.macro SELECT_ENTRY vectors
.Lselect_\vectors:
        vpcmpeqq k1, zmm10, zmm11
        vpaddq  zmm10, zmm10, zmm12
        .set    v, 0
        .rept   \vectors
        LOAD    %(16 + v), rsi, %(v)
        KEEP    %(v), %(16 + v)
        .set    v, v + 1
        .endr
        add     rsi, 64*\vectors
        dec     rdx
        jnz     .Lselect_\vectors
        .set    v, 0
        .rept   \vectors
        STORE   %(v), rdi, %(v)
        .set    v, v + 1
        .endr
        jmp     .Lselect_wipe
.endm
.macro KEEP to, register
        vmovdqa64 zmm\to{k1}, zmm\register
.endm
.macro DISPATCH_SELECT vectors
        cmp     r8, \vectors
        je      .Lselect_\vectors
.endm

        .globl  SYMBOL(montgomery_select_ifma)
        .hidden SYMBOL(montgomery_select_ifma)
        .type   SYMBOL(montgomery_select_ifma), @function
        .p2align 5
SYMBOL(montgomery_select_ifma):
        .cfi_startproc
        endbr64
        .set    v, 0
        .rept   11
        CLEAR   %(v)
        .set    v, v + 1
        .endr
        vpbroadcastq zmm11, rcx
        mov     eax, 1
        vpbroadcastq zmm12, rax
        DISPATCH_SELECT 5
        DISPATCH_SELECT 3
        DISPATCH_SELECT 8
        DISPATCH_SELECT 10
        DISPATCH_SELECT 4
        DISPATCH_SELECT 6
        DISPATCH_SELECT 7
        DISPATCH_SELECT 9
        ud2
        SELECT_ENTRY 3
        SELECT_ENTRY 4
        SELECT_ENTRY 5
        SELECT_ENTRY 6
        SELECT_ENTRY 7
        SELECT_ENTRY 8
        SELECT_ENTRY 9
        SELECT_ENTRY 10
.Lselect_wipe:
        WIPE
        WIPE_GENERAL
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_select_ifma), . - SYMBOL(montgomery_select_ifma)

        NOTES
