//! Bounds on what an expression may cost. They hold before and while anything is compiled or evaluated.

/// Length of the source in code points, as in cel-go.
pub const MAX_SOURCE_CODE_POINTS: usize = 100_000;
/// Errors that are told of one expression, as in cel-go.
pub const MAX_ERRORS: usize = 30;
/// Nodes of the syntax tree.
pub const MAX_NODES: usize = 8 * 1024;
/// Levels of the syntax tree; the stack grows with them in the parser, the interpreter and the code generator.
pub const MAX_DEPTH: usize = 250;
/// Bytes of strings, lists and maps that one evaluation may build (a list, and each element, counts as [`LIST_ELEMENT_BYTES`];
/// a value that is an element counts with all that it holds, as often as it is one).
pub const MAX_BUILT_BYTES: usize = 4 * 1024 * 1024;
/// What a built list and each of its elements counts; an entry of a map is two elements.
pub const LIST_ELEMENT_BYTES: usize = 32;
/// What one evaluation may cost unless the environment says otherwise, by the cost model of cel-go: the limit that Kubernetes has.
pub const COST_LIMIT: u64 = 1_000_000;
