//! How much input is too much.

/// Bounds on a text, checked before memory is spent on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes. Never more than [`Limits::MAX_BYTES`].
    pub bytes: usize,
    /// Levels of objects and lists within each other: `1` is level 0, `[1]` level 1. Never more than [`Limits::MAX_DEPTH`].
    pub depth: usize,
    /// Number of values: every object, list, string, number and literal counts one; member names do not count.
    pub nodes: usize,
}

impl Limits {
    /// The depth above which no setting goes, since reading and dropping a value use the stack.
    pub const MAX_DEPTH: usize = 256;

    /// The length above which no setting goes: places in a text are kept in 32 bits.
    pub const MAX_BYTES: usize = u32::MAX as usize;

    /// For the header or payload of a token: 64 KiB, 32 levels, 8,192 values.
    pub const TOKEN: Self = Self {
        bytes: 64 * 1024,
        depth: 32,
        nodes: 8 * 1024,
    };

    /// For documents fetched from a configured place (discovery, key sets): 1 MiB, 32 levels, 65,536 values.
    pub const DOCUMENT: Self = Self {
        bytes: 1024 * 1024,
        depth: 32,
        nodes: 64 * 1024,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::TOKEN
    }
}
