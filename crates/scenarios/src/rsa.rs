//! Lessons on RSA: a signature checked by hand, and attacks 32 to 34 of the guide's list, each with its defence.

mod by_hand;
mod fault;
mod lax_padding;
mod lax_verifier;
mod two_signatures;

pub(crate) use by_hand::by_hand;
pub(crate) use fault::fault;
pub(crate) use lax_padding::lax_padding;
pub(crate) use two_signatures::two_signatures;

use anyhow::Context as _;
use num_bigint::BigUint;
use openssl::bn::BigNum;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use stampmill_jose::sha256;
use stampmill_rsa::PublicKey;

/// DER of `DigestInfo` for SHA-256 up to the digest (RFC 8017 §9.2 note 1): "what follows is a SHA-256 digest".
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// Bytes of a 2048-bit number.
const LENGTH: usize = 256;

/// The numbers of a key (RFC 8017 §3.2), for lessons that do arithmetic with them in the open.
struct Key {
    n: BigUint,
    e: BigUint,
    d: BigUint,
    p: BigUint,
    q: BigUint,
    d_p: BigUint,
    d_q: BigUint,
    q_inverse: BigUint,
}

impl Key {
    /// A new key of 2048 bits.
    fn generate(e: u32) -> anyhow::Result<Key> {
        let rsa = Rsa::generate_with_e(8 * LENGTH as u32, &*BigNum::from_u32(e)?)?;
        let number = |part: Option<&openssl::bn::BigNumRef>| {
            let part = part.ok_or_else(|| anyhow::anyhow!("OpenSSL left a part of the key out"))?;
            anyhow::Ok(BigUint::from_bytes_be(&part.to_vec()))
        };
        Ok(Key {
            n: number(Some(rsa.n()))?,
            e: number(Some(rsa.e()))?,
            d: number(Some(rsa.d()))?,
            p: number(rsa.p())?,
            q: number(rsa.q())?,
            d_p: number(rsa.dmp1())?,
            d_q: number(rsa.dmq1())?,
            q_inverse: number(rsa.iqmp())?,
        })
    }

    /// The same numbers as OpenSSL holds them, right or wrong.
    fn to_openssl(&self) -> anyhow::Result<Rsa<Private>> {
        let number = |number: &BigUint| BigNum::from_slice(&number.to_bytes_be());
        Ok(Rsa::from_private_components(
            number(&self.n)?,
            number(&self.e)?,
            number(&self.d)?,
            number(&self.p)?,
            number(&self.q)?,
            number(&self.d_p)?,
            number(&self.d_q)?,
            number(&self.q_inverse)?,
        )?)
    }

    /// The same key with the other prime called p.
    fn with_primes_exchanged(&self) -> anyhow::Result<Key> {
        let q_inverse = self.p.modinv(&self.q);
        Ok(Key {
            n: self.n.clone(),
            e: self.e.clone(),
            d: self.d.clone(),
            p: self.q.clone(),
            q: self.p.clone(),
            d_p: self.d_q.clone(),
            d_q: self.d_p.clone(),
            q_inverse: q_inverse.context("two different primes have nothing in common")?,
        })
    }

    fn public(&self) -> anyhow::Result<PublicKey> {
        Ok(PublicKey::new(
            &self.n.to_bytes_be(),
            &self.e.to_bytes_be(),
        )?)
    }
}

/// `EM = 00 01 | ff .. ff | 00 | DigestInfo | SHA-256(message)`, as long as the modulus (RFC 8017 §9.2).
fn encoded(message: &[u8]) -> Vec<u8> {
    let tail = [&[0][..], &DIGEST_INFO, &sha256(message)].concat();
    let filling = vec![0xff; LENGTH - 2 - tail.len()];
    [&[0, 1][..], &filling, &tail].concat()
}

/// A number in as many bytes as the modulus has.
fn bytes(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; LENGTH.saturating_sub(bytes.len())], bytes].concat()
}

/// Euclid's algorithm.
fn greatest_common_divisor(mut a: BigUint, mut b: BigUint) -> BigUint {
    while b != BigUint::ZERO {
        (a, b) = (b.clone(), a % b);
    }
    a
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first and the last bytes of a number of 256.
fn ends(bytes: &[u8]) -> String {
    format!(
        "{} .. {}",
        hex(&bytes[..16]),
        hex(&bytes[bytes.len() - 8..])
    )
}
