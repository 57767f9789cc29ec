//! The one door by which something computed from secrets becomes a decision that everybody may see.

use subtle::Choice;

/// Nothing if `holds`, else the error: the branch on a secret that is meant, because its outcome is told anyway.
///
/// Everything else compares without branches and comes here. `tests/constant_time.rs` excuses this function by name and no other
/// of this crate, so it must remain one: inlined, it would excuse its caller.
///
/// # Errors
/// `error`, if it does not hold.
#[inline(never)]
pub(crate) fn disclose<E>(holds: Choice, error: E) -> Result<(), E> {
    match holds.into() {
        true => Ok(()),
        false => refuse(error),
    }
}

/// A call on one side, so that the compiler makes a branch of it: its alternative, choosing between two results by a mask, would leave
/// the decision to the caller's branch. The error must have a size: of a branch to nothing it makes such a choice too.
#[cold]
#[inline(never)]
fn refuse<E>(error: E) -> Result<(), E> {
    Err(error)
}
