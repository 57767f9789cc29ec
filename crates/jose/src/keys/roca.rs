//! The fingerprint of weak keys from one maker's chips (ROCA, Nemec and others, CCS 2017, CVE-2017-15361).
//!
//! Infineon's library made primes of the form `k·M + (65537^a mod M)` with `M` a product of small primes. So
//! modulo each of those primes, both factors and their product are powers of 65537. Other moduli are so for all
//! of them with probability below 2^-150; those keys can be factored.

/// The odd primes below 168: all divide `M` for keys of 512 bits and up.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether `modulus`, big-endian, bears the fingerprint. An innocent one is recognized by the first few primes.
pub(crate) fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    PRIMES
        .iter()
        .all(|&prime| is_power_of_65537(residue(modulus, prime), prime))
}

fn residue(number: &[u8], prime: u32) -> u32 {
    number
        .iter()
        .fold(0, |rest, &byte| (rest << 8 | u32::from(byte)) % prime)
}

fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    let mut power = 1;
    loop {
        if power == residue {
            return true;
        }
        power = power * 65537 % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_made_that_way_is_recognized_and_its_neighbour_is_not() {
        // 65537^5, below the product of the primes
        let number = 65537_u128.pow(5).to_be_bytes();
        assert!(has_roca_fingerprint(&number));
        let neighbour = (65537_u128.pow(5) + 2).to_be_bytes();
        assert!(!has_roca_fingerprint(&neighbour));
    }
}
