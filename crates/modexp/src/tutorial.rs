//! The routines of the post "Using Assembly from Rust": `asm/tutorial.s`, and its next step, `asm/tutorial.c`.
//!
//! Every function returns `None` in a build without assembly ([`AVAILABLE`] says so), so that callers compile everywhere.
//!
//! ```
//! use stampmill_modexp::tutorial;
//!
//! if tutorial::AVAILABLE {
//!     assert_eq!(tutorial::return_zero(), Some(0));
//!     assert_eq!(tutorial::add_numbers(42, 58), Some(100));
//!     assert_eq!(tutorial::add_numbers(i32::MAX, 1), Some(i32::MIN)); // machine addition wraps around
//! }
//! ```

/// Whether this build has the routines.
pub const AVAILABLE: bool = cfg!(stampmill_asm);

/// `return_zero` of `asm/tutorial.s`: 0.
pub fn return_zero() -> Option<i32> {
    routines::return_zero()
}

/// `add_numbers` of `asm/tutorial.s`: `a + b`, wrapping around.
pub fn add_numbers(a: i32, b: i32) -> Option<i32> {
    routines::add_numbers(a, b)
}

/// `multiply_numbers` of `asm/tutorial.c`: `a · b`, wrapping around.
pub fn multiply_numbers(a: i32, b: i32) -> Option<i32> {
    routines::multiply_numbers(a, b)
}

/// `sum_numbers` of `asm/tutorial.c`: the sum of a slice, wrapping around; C that calls the assembly routine for each.
pub fn sum_numbers(numbers: &[i32]) -> Option<i32> {
    routines::sum_numbers(numbers)
}

/// A routine of `asm/tutorial.s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routine {
    /// [`return_zero`]
    ReturnZero,
    /// [`add_numbers`]
    AddNumbers,
}

/// The machine code of a routine as it lies in this process.
#[derive(Clone, Copy, Debug)]
pub struct MachineCode {
    /// Address of the first byte.
    pub address: usize,
    /// Every byte of the routine.
    pub bytes: &'static [u8],
}

/// Where a routine of `asm/tutorial.s` lies in memory, and its bytes.
pub fn machine_code(routine: Routine) -> Option<MachineCode> {
    routines::machine_code(routine)
}

#[cfg(stampmill_asm)]
mod routines {
    use super::{MachineCode, Routine};

    mod foreign {
        // Edition 2024 wants `unsafe extern`; the post's plain `extern "C"` was right for edition 2021.
        unsafe extern "C" {
            // `safe`: plain numbers in and out, no memory touched, defined for every argument.
            pub(super) safe fn return_zero() -> i32;
            pub(super) safe fn add_numbers(a: i32, b: i32) -> i32;
            pub(super) safe fn multiply_numbers(a: i32, b: i32) -> i32;

            /// Reads `count` numbers.
            pub(super) fn sum_numbers(numbers: *const i32, count: usize) -> i32;

            // Labels behind the last byte of a routine.
            pub(super) safe static return_zero_end: u8;
            pub(super) safe static add_numbers_end: u8;
        }
    }

    pub(super) fn return_zero() -> Option<i32> {
        Some(foreign::return_zero())
    }

    pub(super) fn add_numbers(a: i32, b: i32) -> Option<i32> {
        Some(foreign::add_numbers(a, b))
    }

    pub(super) fn multiply_numbers(a: i32, b: i32) -> Option<i32> {
        Some(foreign::multiply_numbers(a, b))
    }

    pub(super) fn sum_numbers(numbers: &[i32]) -> Option<i32> {
        // SAFETY: pointer and length belong to one slice; the routine reads exactly those numbers and keeps nothing.
        Some(unsafe { foreign::sum_numbers(numbers.as_ptr(), numbers.len()) })
    }

    pub(super) fn machine_code(routine: Routine) -> Option<MachineCode> {
        let (start, end) = match routine {
            Routine::ReturnZero => (
                foreign::return_zero as *const u8,
                &raw const foreign::return_zero_end,
            ),
            Routine::AddNumbers => (
                foreign::add_numbers as *const u8,
                &raw const foreign::add_numbers_end,
            ),
        };
        let length = end.addr() - start.addr();
        // SAFETY: tutorial.s puts both labels around one routine in one section, which is mapped readable for as long
        // as the program runs and is never written.
        let bytes = unsafe { std::slice::from_raw_parts(start, length) };
        Some(MachineCode {
            address: start.addr(),
            bytes,
        })
    }
}

#[cfg(not(stampmill_asm))]
mod routines {
    use super::{MachineCode, Routine};

    pub(super) fn return_zero() -> Option<i32> {
        None
    }

    pub(super) fn add_numbers(_: i32, _: i32) -> Option<i32> {
        None
    }

    pub(super) fn multiply_numbers(_: i32, _: i32) -> Option<i32> {
        None
    }

    pub(super) fn sum_numbers(_: &[i32]) -> Option<i32> {
        None
    }

    pub(super) fn machine_code(_: Routine) -> Option<MachineCode> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routines_compute_what_the_post_prints() {
        let when_built = |value| AVAILABLE.then_some(value);
        assert_eq!(return_zero(), when_built(0));
        assert_eq!(add_numbers(42, 58), when_built(100));
        assert_eq!(add_numbers(i32::MAX, 1), when_built(i32::MIN));
        assert_eq!(multiply_numbers(-6, 7), when_built(-42));
        assert_eq!(multiply_numbers(i32::MIN, -1), when_built(i32::MIN));
        assert_eq!(sum_numbers(&[]), when_built(0));
        assert_eq!(sum_numbers(&[1, 2, 3, 4]), when_built(10));
    }

    #[test]
    fn machine_code_ends_with_a_return() {
        const RET: u8 = 0xc3;
        for routine in [Routine::ReturnZero, Routine::AddNumbers] {
            let code = machine_code(routine);
            assert_eq!(code.is_some(), AVAILABLE);
            if let Some(code) = code {
                assert!(code.bytes.len() < 16);
                assert_eq!(code.bytes.last(), Some(&RET));
            }
        }
    }
}
