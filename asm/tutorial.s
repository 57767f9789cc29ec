# The two routines of the post "Using Assembly from Rust", in Intel syntax, as the GNU assembler and clang read them.
#
#     int32_t return_zero(void);
#     int32_t add_numbers(int32_t a, int32_t b);      wraps around on overflow
#
# System V AMD64 calling convention: the first two integer arguments come in edi and esi, the result leaves in eax.
# Clobbers nothing but eax and the flags; touches no memory but the return address.
#
# A comment begins with `#` here. The post writes `; rdi = a, rsi = b`, but in GNU syntax a semicolon only separates
# statements: the assembler then tries to assemble the words behind it.

        .intel_syntax noprefix
        .text

        .globl  return_zero
        .type   return_zero, @function
        .p2align 4
return_zero:
        endbr64                         # a landing pad for indirect calls, where the kernel enforces CET
        xor     eax, eax                # the shortest way to a zero
        ret
        .size   return_zero, . - return_zero
        .globl  return_zero_end         # so that the lesson can show every byte of the routine
return_zero_end:

        .globl  add_numbers
        .type   add_numbers, @function
        .p2align 4
add_numbers:
        endbr64
        mov     eax, edi                # edi = a, esi = b
        add     eax, esi
        ret
        .size   add_numbers, . - add_numbers
        .globl  add_numbers_end
add_numbers_end:

# Without this line the linker takes the old default and makes the whole program's stack executable.
        .section .note.GNU-stack, "", @progbits

# Without these the linker takes it that some function is no valid target of an indirect call, and turns that check off for
# the whole program.
        .section .note.gnu.property, "a", @note
        .p2align 3
        .long   4, 16, 5                # lengths of name and content; NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0     # GNU_PROPERTY_X86_FEATURE_1_AND: IBT and SHSTK
