# Almost-Montgomery multiplication of two numbers at once for x86-64 with AVX-512 IFMA, and the masked table lookup.
#
#     void montgomery_mul_ifma_x2(uint64_t out[8 * vectors], const uint64_t a[8 * vectors], const uint64_t b[8 * vectors],
#                                 const uint64_t n[8 * vectors], const uint64_t n0[2], uint64_t vectors);
#     void montgomery_select_ifma_x2(uint64_t out[8 * vectors], const uint64_t table[8 * vectors * entries],
#                                    uint64_t entries, const uint64_t index[2], uint64_t vectors);
#
# Computes   out = a * b / R  mod n  for two numbers with a modulus each, not fully reduced, with R = 2^(52 * 4 * vectors);
#            out = table[index]  for each number with an index of its own.
#
# Form        each number is 4 * vectors digits of 52 bits and has four lanes of every vector, the first number the lower ones.
#             Digit vectors*lane + v of number j is word 8*v + 4*j + lane: a lane holds `vectors` neighbouring digits, so
#             that moving a number down by one digit renames the vectors, and only the lowest one has to move its lanes.
# Needs       a processor with AVX-512F and AVX-512 IFMA, and a system that keeps the registers (the caller's proof: `Ifma52` in
#             crates/modexp/src/cpu.rs).
# Inputs      vectors 3 to 10; for each number n odd, 4n < R, n0 = -1/n mod 2^64; a < 2n and b < 2n, or a < n and b < R. Every
#             digit is below 2^52. entries >= 1; index[j] < entries for number j.
# Output      out < 2n, every digit below 2^52; out <= n if b is 1. An index that is not below entries selects zero.
# Aliasing    everything allowed: out is written when all inputs have been read. table must not overlap out.
# Memory      reads a, b, n [0 .. 8*vectors-1] and n0 [0 .. 1], writes out [0 .. 8*vectors-1]. No stack. The lookup reads
#             index [0 .. 1] and the whole table in order.
# Clobbers    rax, rcx, rdx, rsi, rdi, r8-r11, zmm0-zmm31, k1, k2, which are all zero at the end, the upper halves clean, and
#             flags.
# Timing      constant time: branches and addresses depend on vectors, entries and the pointers alone. n0, n and index may be secret.
#             None of the instructions has a time that depends on its operands.
# Algorithm   operand scanning as in montgomery_ifma.S, one row a digit of b, in two sums: A collects a * b[i] and M collects
#             n * m[i]. The multiple m[i] is computed in the vectors too, for both numbers at once: the lowest digit t of both
#             sums times n0. t + m[i] * n[0] is the next multiple of 2^52, so its quotient is (t + 2^52 - 1) / 2^52 and waits for
#             no multiplication. t carries that 2^52 - 1 from the start (the bias), and m[i] = n0 + (t + 2^52 - 1) * n0. What the
#             next m waits for comes first in a row; the rest of n * m[i] is added in row i+1. S. Gueron, V. Krasnov,
#             "Software Implementation of Modular Exponentiation, Using Advanced Vector Instructions Architectures", WAIFI 2012,
#             for the vectors and the bound.
# Bounds      a digit of A or M collects at most 2 * 40 halves below 2^52, the bias and a carry: below 2^59.
#             out < (2n * 2n + R * n) / R < 2n, because 4n < R; and (R * n + n * R) / R = 2n for a < n, b < R.

#include "kernel.h"

#define out     rdi
#define a       rsi
#define b       rdx
#define n       rcx
#define vectors_of r9           /* the argument `vectors` */
#define lanes_left r10          /* of b */

# Vector registers by number, because they rotate. With V vectors: M in 0 .. V-1, A in V .. 2V-1; then a and n, or if there
# is no room for them, two registers through which they pass. And above:
#
#       24, 28  the multiples m[i-1] and m[i], in every lane
#       25      the lane of b that comes next, for every lane
#       26      a carry
#       27      the digit of b, in every lane
#       29      the lowest vector of n
#       30      the bias: 2^52 - 1 in the lane of the lowest digit, zero in the others
#       31      n0
#
# k1 has the lane of each lowest digit, k2 all lanes but the highest of each number.
#define IN_REGISTERS 6          /* the most vectors for which a and n are in registers */

        .intel_syntax noprefix
        .altmacro

.macro LO sum, factor, operand
        vpmadd52luq zmm\sum, zmm\factor, zmm\operand
.endm
.macro HI sum, factor, operand
        vpmadd52huq zmm\sum, zmm\factor, zmm\operand
.endm
.macro LOAD register, pointer, vector
        vmovdqu64 zmm\register, [\pointer + 64*(\vector)]
.endm
.macro STORE register, pointer, vector
        vmovdqu64 [\pointer + 64*(\vector)], zmm\register
.endm
.macro CLEAR register
        vpxorq  zmm\register, zmm\register, zmm\register
.endm
.macro COPY to, register
        vmovdqa64 zmm\to, zmm\register
.endm
.macro SUM to, register
        vpaddq  zmm\to, zmm\to, zmm\register
.endm
.macro DIFFERENCE to, register
        vpsubq  zmm\to, zmm\to, zmm\register
.endm

.macro DIGIT_OF_B row
        vpermq  zmm27, zmm25, [b + 64*\row]
.endm
.macro NEXT_LANE_OF_B
        vpaddq  zmm25, zmm25, qword ptr [rip + .Lone]{1to8}
.endm
.macro FROM_LOWEST_LANE register
        vpermq  zmm\register, zmm\register, 0
.endm
.macro SHIFT_LANES_DOWN register
        vpermq  zmm\register{k2}{z}, zmm\register, 0b00111001
.endm
.macro CARRY_OF_LOWEST_LANE to, register
        vpsrlq  zmm\to{k1}{z}, zmm\register, 52
.endm

# The register of a vector of a (0) or of n (1): one that keeps it, or one that it is loaded into.
.macro OPERAND vectors, which, v
        .if     \vectors <= IN_REGISTERS
        .set    operand, (2 + \which)*\vectors + \v
        .else
        .set    operand, 2*\vectors + \v - 2*(\v/2)
        .if     \which == 0
        LOAD    %(operand), a, \v
        .else
        LOAD    %(operand), n, \v
        .endif
        .endif
.endm

# Where vector v of M and of A is in this row. The row ends with everything one digit lower.
.macro WHERE vectors, row, v
        .set    m_v, (\v + \row) - \vectors*((\v + \row)/\vectors)
        .set    a_v, \vectors + m_v
.endm

# Row i, and of M what row i-1 leaves to do: what the next multiple waits for comes first.
.macro ROW vectors, row, multiple, last
        DIGIT_OF_B \row
        WHERE   \vectors, \row, 1
        .set    m_1, m_v
        WHERE   \vectors, \row, 0
        .set    m_0, m_v
        .set    a_0, a_v
        OPERAND \vectors, 0, 0
        LO      %(a_0), 27, %(operand)
        LOWEST_OF_M \vectors, %(m_0), %(a_0), \last

# The lowest digit t of both sums. What is in the other lanes of A's lowest vector goes to M as well.
        SUM     %(m_0), %(a_0)
        COPY    \multiple, 31
        LO      \multiple, %(m_0), 31
        FROM_LOWEST_LANE \multiple
        CARRY_OF_LOWEST_LANE 26, %(m_0)
        HI      %(m_1), \last, %(operand)
        SUM     %(m_1), 26
        REST_OF_M \vectors, \row, \last

# A += a * b[i], without what has been added; low halves to digits 0 and up, high halves to digits 1 and up.
        COPY    %(a_0), 30
        .set    v, 0
        .rept   \vectors
        OPERAND \vectors, 0, %(v)
        .if     v > 0
        WHERE   \vectors, \row, %(v)
        LO      %(a_v), 27, %(operand)
        .endif
        WHERE   \vectors, \row, %(v + 1)
        HI      %(a_v), 27, %(operand)
        .set    v, v + 1
        .endr
.endm

# M += n * m of the last row, which has left M one digit lower: first n[1] and the high half of n[0], in A, ...
.macro LOWEST_OF_M vectors, m_0, a_0, last
        OPERAND \vectors, 1, 1
        LO      \m_0, \last, %(operand)
        HI      \a_0, \last, 29
.endm
# ... then all the others. What was the lowest vector becomes the highest.
.macro REST_OF_M vectors, row, last
        WHERE   \vectors, \row, %(\vectors - 1)
        .set    m_top, m_v
        LO      %(m_top), \last, 29
        SHIFT_LANES_DOWN %(m_top)
        .set    v, 2
        .rept   \vectors - 2
        OPERAND \vectors, 1, %(v)
        WHERE   \vectors, \row, %(v - 1)
        LO      %(m_v), \last, %(operand)
        WHERE   \vectors, \row, %(v)
        HI      %(m_v), \last, %(operand)
        .set    v, v + 1
        .endr
.endm

.macro ROWS vectors
        .set    v, 0
        .rept   \vectors
        CLEAR   %(v)
        COPY    %(\vectors + v), 30
        .if     \vectors <= IN_REGISTERS
        LOAD    %(2*\vectors + v), a, %(v)
        LOAD    %(3*\vectors + v), n, %(v)
        .endif
        .set    v, v + 1
        .endr
        LOAD    29, n, 0
        CLEAR   24
        CLEAR   28
        .p2align 5
.Llane_\vectors:
        .set    row, 0
        .rept   \vectors
        .if     \vectors % 2
        ROW     \vectors, %(row), 28, 24
        COPY    24, 28
        .elseif row % 2
        ROW     \vectors, %(row), 28, 24
        .else
        ROW     \vectors, %(row), 24, 28
        .endif
        .set    row, row + 1
        .endr
        NEXT_LANE_OF_B 
        dec     lanes_left
        jnz     .Llane_\vectors
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

# The sum of A and M, without the bias, and with what the last row left.
.macro FINISH vectors
        LOWEST_OF_M \vectors, 0, \vectors, 28
        HI      1, 28, %(operand)
        REST_OF_M \vectors, 0, 28
        .set    v, 0
        .rept   \vectors
        SUM     %(v), %(\vectors + v)
        DIFFERENCE %(v), 30
        .set    v, v + 1
        .endr

# Its digits have up to 61 bits. All of them pass their carry on once, then the carry runs through each lane; what is left
# is at most one carry out of a lane, and it passes through a following lane only if all digits of that are ones ...
        vpbroadcastq zmm26, [rip + .Lmask]
        .set    v, 0
        .rept   \vectors
        SPLIT   %(v), 26, %(\vectors + v)
        .set    v, v + 1
        .endr
        .set    v, 1
        .rept   \vectors - 1
        SUM     %(v), %(\vectors + v - 1)
        .set    v, v + 1
        .endr
        CLEAR   25
        LANES_UP 27, %(2*\vectors - 1), 25
        SUM     0, 27
        CARRY_WITHIN_LANES \vectors, 26, 27
        COPY    28, 0
        .set    v, 1
        .rept   \vectors - 1
        AND_ALL 28, %(v)
        .set    v, v + 1
        .endr
        vptestmq k1, zmm27, zmm27
        vpcmpeqq k2, zmm28, zmm26

# ... which one addition over all lanes finds: carries out of lanes, moved up, run through the lanes of ones. The highest
# lane of a number has none, because R exceeds the result, so that two numbers do not meet.
        kmovw   eax, k1
        kmovw   edx, k2
        lea     eax, [rdx + rax*2]
        xor     eax, edx
        kmovw   k1, eax
        vpternlogd zmm27, zmm27, zmm27, 0xff
        vpsubq  zmm0{k1}, zmm0, zmm27   # minus minus one
        CARRY_WITHIN_LANES \vectors, 26, 27
        .set    v, 0
        .rept   \vectors
        STORE   %(v), out, %(v)
        .set    v, v + 1
        .endr
.endm
.macro LANES_UP to, register, zero
        valignq zmm\to, zmm\register, zmm\zero, 7
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
        WIPE_GENERAL
.endm

.macro MULTIPLY vectors
.Lmultiply_\vectors:
        ROWS    \vectors
        FINISH  \vectors
        jmp     .Lwipe
.endm
.macro DISPATCH name, vectors
        cmp     vectors_of, \vectors
        je      .L\name\()_\vectors
.endm
.macro DISPATCH_ALL name
        .irp    size, 3, 4, 5, 6, 7, 8, 9, 10
        DISPATCH \name, \size
        .endr
.endm

        .section .rodata
        .p2align 6
.Llowest_of_four:
        .quad   0xfffffffffffff, 0, 0, 0, 0xfffffffffffff, 0, 0, 0
.Lfirst_lanes:
        .quad   0, 0, 0, 0, 4, 4, 4, 4
.Lmask: .quad   0xfffffffffffff
.Lone:  .quad   1

        .text
        .globl  SYMBOL(montgomery_mul_ifma_x2)
        .hidden SYMBOL(montgomery_mul_ifma_x2)
        .type   SYMBOL(montgomery_mul_ifma_x2), @function
        .p2align 5
SYMBOL(montgomery_mul_ifma_x2):
        .cfi_startproc
        endbr64
        mov     r10d, 4                 # lanes_left
        mov     eax, 0xf0
        kmovw   k1, eax
        vpbroadcastq zmm31, [r8]
        vpbroadcastq zmm31{k1}, [r8 + 8]
        mov     eax, 0x11
        kmovw   k1, eax
        mov     eax, 0x77
        kmovw   k2, eax
        vmovdqa64 zmm30, [rip + .Llowest_of_four]
        vmovdqa64 zmm25, [rip + .Lfirst_lanes]
        DISPATCH_ALL multiply
        ud2                             # not a number of vectors this file is written for
        .irp    size, 3, 4, 5, 6, 7, 8, 9, 10
        MULTIPLY \size
        .endr
.Lwipe:
        WIPE
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_mul_ifma_x2), . - SYMBOL(montgomery_mul_ifma_x2)

# out = table[index]: every entry is loaded, and in the lanes where its number equals index it stays. zmm0-9 hold what stays,
# zmm10 the number of the entry, zmm11 the index, zmm12 ones.
.macro SELECT vectors
.Lselect_\vectors:
        vpcmpeqq k1, zmm10, zmm11
        vpaddq  zmm10, zmm10, zmm12
        .set    v, 0
        .rept   \vectors
        KEEP    %(v), rsi, %(v)
        .set    v, v + 1
        .endr
        add     rsi, 64*\vectors
        dec     rdx
        jnz     .Lselect_\vectors
        .set    v, 0
        .rept   \vectors
        STORE   %(v), out, %(v)
        .set    v, v + 1
        .endr
        jmp     .Lselect_wipe
.endm
.macro KEEP to, pointer, vector
        vmovdqu64 zmm\to{k1}, [\pointer + 64*\vector]
.endm

        .globl  SYMBOL(montgomery_select_ifma_x2)
        .hidden SYMBOL(montgomery_select_ifma_x2)
        .type   SYMBOL(montgomery_select_ifma_x2), @function
        .p2align 5
SYMBOL(montgomery_select_ifma_x2):
        .cfi_startproc
        endbr64
        mov     eax, 0xf0               # the lanes of the second number
        kmovw   k1, eax
        vpbroadcastq zmm11, [rcx]
        vpbroadcastq zmm11{k1}, [rcx + 8]
        .set    v, 0
        .rept   11
        CLEAR   %(v)
        .set    v, v + 1
        .endr
        vpbroadcastq zmm12, [rip + .Lone]
        mov     vectors_of, r8
        DISPATCH_ALL select
        ud2
        .irp    size, 3, 4, 5, 6, 7, 8, 9, 10
        SELECT  \size
        .endr
.Lselect_wipe:
        WIPE
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_select_ifma_x2), . - SYMBOL(montgomery_select_ifma_x2)

        NOTES
