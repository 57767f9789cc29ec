//! `rsa_fault`, attack 33: a computer that errs once while it signs gives its key away (D. Boneh, R. DeMillo, R. Lipton, "On the
//! Importance of Checking Cryptographic Protocols for Faults", EUROCRYPT '97; A. Lenstra's version, which needs one signature).

use anyhow::Context as _;
use num_bigint::BigUint;
use stampmill_rsa::{PrivateKey, PublicKey, SignError};

use super::{Key, bytes, encoded, ends, greatest_common_divisor};
use crate::stage::Stage;

const MESSAGE: &[u8] = b"pay 10 to the bookshop";
const FORGED: &[u8] = b"pay 10000 to mallory";

const FOUNDATION: &str = "Boneh, DeMillo, Lipton, EUROCRYPT '97";

pub(crate) fn fault(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let key = key_to_damage()?;
    let public = key.public()?;
    let right = without_check(stage, &key, &public);
    attack(stage, &key, &public)?;
    with_check(stage, &key, &public)?;
    our_signer(stage, key, &public)?;
    stage.note(
        "The check costs seventeen multiplications; a signature takes some two and a half thousand of half the length. And a fault need not be \
         an attacker with a laser: memory errs by itself.",
    );
    right
}

/// A key that the fault of `our_signer` fits: 2 is a square modulo p, and (p - 1)/2 is a multiple of all that p - 1 and q - 1
/// have in common.
fn key_to_damage() -> anyhow::Result<Key> {
    loop {
        let key = Key::generate(65537)?;
        for key in [key.with_primes_exchanged()?, key] {
            let common = greatest_common_divisor(&key.p - 1_u32, &key.q - 1_u32);
            let half = (&key.p - 1_u32) / 2_u32;
            if &key.p % 8_u32 == BigUint::from(1_u32) && half % common == BigUint::ZERO {
                return Ok(key);
            }
        }
    }
}

/// RFC 8017 §5.1.2: half the work modulo p, half modulo q, put together. `strike` is what happens to the first half.
fn sign(key: &Key, message: &[u8], strike: impl Fn(&mut BigUint)) -> BigUint {
    let em = BigUint::from_bytes_be(&encoded(message));
    let mut s_p = em.modpow(&key.d_p, &key.p);
    let s_q = em.modpow(&key.d_q, &key.q);
    strike(&mut s_p);
    let difference = (&s_p + &key.p - &s_q % &key.p) % &key.p;
    let h = difference * &key.q_inverse % &key.p;
    s_q + h * &key.q
}

fn one_bit(s_p: &mut BigUint) {
    s_p.set_bit(100, !s_p.bit(100));
}

fn without_check(stage: &mut Stage<'_>, key: &Key, public: &PublicKey) -> anyhow::Result<()> {
    stage.note(
        "Signing is done modulo p and modulo q, because two powers with half the length take a quarter of the time, and put together \
         to one modulo n = p·q.",
    );
    stage.heading("A signer that trusts its computer");
    let signature = sign(key, MESSAGE, |_| {});
    let verdict = public.verify_pkcs1v15_sha256(MESSAGE, &bytes(&signature));
    stage.check("undisturbed, the signature verifies", true, verdict.is_ok());
    Ok(())
}

/// What anybody can do who has the message, the public key, and one signature of which a half is wrong.
fn attack(stage: &mut Stage<'_>, key: &Key, public: &PublicKey) -> anyhow::Result<()> {
    let faulty = sign(key, MESSAGE, one_bit);
    stage.compute(
        "s, one bit of the half modulo p flipped",
        &[],
        ends(&bytes(&faulty)),
    );
    let verdict = public.verify_pkcs1v15_sha256(MESSAGE, &bytes(&faulty));
    stage.check("it verifies", false, verdict.is_ok());

    stage.heading("Mallory gets it");
    stage.note(
        "Modulo q it is right, modulo p it is not. So s^e - EM is a multiple of q and not of p, and Euclid's algorithm finds what it \
         has in common with n.",
    );
    let (n, e) = (
        BigUint::from_bytes_be(&public.n()),
        BigUint::from_bytes_be(public.e()),
    );
    let em = BigUint::from_bytes_be(&encoded(MESSAGE));
    let q = greatest_common_divisor((faulty.modpow(&e, &n) + &n - em) % &n, n.clone());
    stage.compute("gcd(s^e - EM, n)", &[], format_args!("{q:x}"));
    let p = &n / &q;
    if !stage.check(
        "times another number it is n",
        true,
        &p * &q == n && p > BigUint::from(1_u32),
    ) {
        return Ok(());
    }
    let totient = (&p - 1_u32) * (&q - 1_u32);
    let Some(d) = e.modinv(&totient) else {
        anyhow::bail!("e has an inverse, or the key would not work");
    };
    let forged = bytes(&BigUint::from_bytes_be(&encoded(FORGED)).modpow(&d, &n));
    let accepted = public.verify_pkcs1v15_sha256(FORGED, &forged).is_ok();
    if stage.check(
        "Mallory's own signature under another message verifies",
        true,
        accepted,
    ) {
        stage.succeeded("attack 33: the key from one faulty signature");
    }
    Ok(())
}

/// The defence in its simplest form.
fn with_check(stage: &mut Stage<'_>, key: &Key, public: &PublicKey) -> anyhow::Result<()> {
    stage.heading("A signer that checks: release s only if s^e mod n = EM");
    let released = |s: &BigUint| public.raw(&bytes(s)).is_ok_and(|em| em == encoded(MESSAGE));
    stage.check(
        "the good signature is released",
        true,
        released(&sign(key, MESSAGE, |_| {})),
    );
    if stage.check(
        "the faulty one is released",
        false,
        released(&sign(key, MESSAGE, one_bit)),
    ) {
        stage.blocked("attack 33", "the signature never leaves", FOUNDATION);
    }
    Ok(())
}

/// A fault that gets into our own signer from outside: a damaged exponent, in d and d_p alike, so that they still belong together.
///
/// With d_p + (p - 1)/2 in place of d_p, the half modulo p comes out right for squares modulo p and with the wrong sign for
/// the others. 2 is a square here, so that the trial with which an import ends passes.
fn our_signer(stage: &mut Stage<'_>, mut key: Key, public: &PublicKey) -> anyhow::Result<()> {
    const MESSAGES: usize = 32;
    stage.heading("The signer of this project, with a damaged key");
    stage.note(
        "d_p is replaced by d_p + (p - 1)/2, and d by the d that belongs to it. About every other signature then comes out with the wrong \
         sign modulo p: a fault as above.",
    );
    let half = (&key.p - 1_u32) / 2_u32;
    key.d_p = (&key.d_p + &half) % (&key.p - 1_u32);
    key.d = damaged_d(&key, half)?;
    let signer = match PrivateKey::from_pkcs1_der(&key.to_openssl()?.private_key_to_der()?) {
        Ok(signer) => signer,
        Err(error) => {
            stage.blocked(
                "attack 33 on our signer",
                format_args!("the key is not taken: {error}"),
                FOUNDATION,
            );
            return Ok(());
        }
    };
    let (mut withheld, mut verified) = (0, 0);
    for i in 0..MESSAGES {
        let message = format!("message {i}");
        match signer.sign_pkcs1v15_sha256(message.as_bytes()) {
            Ok(signature) => {
                let verdict = public.verify_pkcs1v15_sha256(message.as_bytes(), &signature);
                verified += usize::from(verdict.is_ok());
            }
            Err(SignError::Fault) => withheld += 1,
            Err(error) => return Err(error.into()),
        }
    }
    stage.compute(
        format_args!("signatures withheld, of {MESSAGES}"),
        &[],
        withheld,
    );
    stage.check("of the others verify", MESSAGES - withheld, verified);
    if stage.check("some were withheld", true, withheld > 0) {
        stage.blocked("attack 33 on our signer", SignError::Fault, FOUNDATION);
    }
    Ok(())
}

/// `d + half` modulo p - 1, and as it was modulo q - 1.
fn damaged_d(key: &Key, half: BigUint) -> anyhow::Result<BigUint> {
    let (p_1, q_1) = (&key.p - 1_u32, &key.q - 1_u32);
    let common = greatest_common_divisor(p_1.clone(), q_1.clone());
    let (p_part, q_part) = (&p_1 / &common, &q_1 / &common);
    let inverse = q_part
        .modinv(&p_part)
        .context("they have nothing in common any more")?;
    let multiple = half / &common * inverse % &p_part;
    Ok((&key.d + multiple * &q_1) % (p_part * q_1))
}
