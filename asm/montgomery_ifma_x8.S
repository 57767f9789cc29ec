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

#define JOIN_EXPANDED(prefix, name) prefix##name
#define JOIN(prefix, name) JOIN_EXPANDED(prefix, name)
#define SYMBOL(name) JOIN(STAMPMILL_PREFIX, name)

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
#define row     rbp             /* the sum's digit where this block of rows begins */
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

# Row k:  sum[k ..] += factor * block[first ..]
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
.macro TRIANGLE
        .set    k, 0
        .rept   10
        ROW     %(k), %(10 + k), %(k + 1)
        .set    k, k + 1
        .endr
.endm
.macro QUOTIENTS
        .set    k, 0
        .rept   10
        QUOTIENT_ROW %(k), %(10 + k), %((k + 1) % 10)
        .set    k, k + 1
        .endr
.endm
.macro QUOTIENT_ROW k, q, next
        QUOTIENT \q, \k
        CARRY_OF 30, \k
        LOAD    \k, dst, %(\k + 10)
        LO      \next, \q, 21
        HI      30, \q, 20
        .set    j, 2
        .rept   8
        LO      %((\k + j) % 10), \q, %(20 + j)
        .set    j, j + 1
        .endr
        SUM     \next, 30
        .set    j, 1
        .rept   9
        HI      %((\k + j + 1) % 10), \q, %(20 + j)
        .set    j, j + 1
        .endr
.endm

.macro SAVE register
        push    \register
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \register, 0
.endm
.macro RESTORE register
        pop     \register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
.endm

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
        mov     r10, [rsp + 8]          # scratch, the seventh argument
        SAVE    rbx
        SAVE    rbp
        SAVE    r12
        shl     bytes, 6
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

# Carries.
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

        .set    i, 0
        .rept   32
        CLEAR   %(i)
        .set    i, i + 1
        .endr
        vzeroupper
        RESTORE r12
        RESTORE rbp
        RESTORE rbx
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
        .set    i, 0
        .rept   16
        CLEAR   %(i)
        .set    i, i + 1
        .endr
        kxorw   k1, k1, k1
        vzeroupper
        ret
        .cfi_endproc
        .size   SYMBOL(montgomery_select_ifma_x8), . - SYMBOL(montgomery_select_ifma_x8)

        .section .note.GNU-stack, "", @progbits
