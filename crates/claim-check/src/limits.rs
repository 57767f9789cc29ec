//! Bounds on what an expression may cost. They hold before and while anything is compiled or evaluated.

/// Length of the source in bytes.
pub const MAX_SOURCE_BYTES: usize = 64 * 1024;
/// Nodes of the syntax tree.
pub const MAX_NODES: usize = 8 * 1024;
/// Levels of the syntax tree; the stack grows with them in the parser, the interpreter and the code generator.
pub const MAX_DEPTH: usize = 200;
/// Bytes of strings and lists that one evaluation may build with `+` (an element of a list counts as [`LIST_ELEMENT_BYTES`]).
pub const MAX_BUILT_BYTES: usize = 1024 * 1024;
/// What an element of a built list counts.
pub const LIST_ELEMENT_BYTES: usize = 32;
