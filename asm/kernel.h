# What every kernel shares: the names of symbols, saved registers with their unwind notes, wiping, and the notes at the end.

#define JOIN_EXPANDED(prefix, name) prefix##name
#define JOIN(prefix, name) JOIN_EXPANDED(prefix, name)
#define SYMBOL(name) JOIN(STAMPMILL_PREFIX, name)

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

# The registers that a routine need not give back.
.macro WIPE_GENERAL
        .irp    register, eax, ecx, edx, esi, edi, r8d, r9d, r10d, r11d
        xor     \register, \register
        .endr
.endm

# The last lines of every file: the stack need not be executable, and every function that is called through a pointer
# begins with endbr64 and returns as it was called (CET: indirect branch tracking and shadow stack).
.macro NOTES
        .section .note.GNU-stack, "", @progbits
        .section .note.gnu.property, "a", @note
        .p2align 3
        .long   4, 16, 5                # lengths of name and content; NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0     # GNU_PROPERTY_X86_FEATURE_1_AND: IBT and SHSTK
.endm
