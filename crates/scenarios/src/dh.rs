//! Lessons of the Diffie-Hellman post: the exchange in small numbers, and what happens when somebody sits in between.

mod mitm;
mod toy;

pub(crate) use mitm::mitm;
pub(crate) use toy::toy;

use num_bigint::BigUint;

/// A number as people write it: decimal if short, else hexadecimal.
fn number(big_endian: &[u8]) -> String {
    let value = BigUint::from_bytes_be(big_endian);
    if big_endian.len() <= size_of::<u64>() {
        value.to_string()
    } else {
        format!("{value:x}")
    }
}
