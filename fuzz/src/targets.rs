//! Each target takes any bytes; it panics if what we promise does not hold.

use stampmill_modexp::{Engine, Job, Modulus, OperandError, pow_many, pow_pair, pow_public_many};
use stampmill_rsa::{PrivateKey, PublicKey, Scheme};

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 3] = [("pow", pow), ("keys", keys), ("verify", verify)];

/// RFC 7517 appendix A.2: a private key that everybody knows.
const RFC_KEY: &[u8] = include_bytes!("../seeds/rfc7517-a2.json");

/// Longest modulus and operand, in bytes: what a second's work of the slowest engine still covers.
const MAX_BYTES: usize = 300;

/// Every engine, and every way to call it, gives what num-bigint gives.
///
/// Two bytes of length for the modulus and two for the base, then modulus, base, and the exponent in what is left.
pub fn pow(data: &[u8]) {
    let [a, b, c, d, rest @ ..] = data else {
        return;
    };
    let length = |low: u8, high: u8| usize::from(u16::from_le_bytes([low, high])) % (MAX_BYTES + 1);
    let (n, rest) = rest.split_at(length(*a, *b).min(rest.len()));
    let (base, exponent) = rest.split_at(length(*c, *d).min(rest.len()));
    let exponent = &exponent[..exponent.len().min(MAX_BYTES)];
    let Ok(oracle) = Modulus::with_engine(n, Engine::Reference) else {
        // What one engine refuses as a modulus all refuse.
        for engine in Engine::available() {
            assert!(Modulus::with_engine(n, engine).is_err(), "{engine:?}");
        }
        return;
    };
    let expected = oracle.pow(base, exponent);
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(n, engine).expect("the reference accepts it");
        assert_eq!(modulus.pow(base, exponent), expected, "{engine:?}");
        assert_eq!(modulus.pow_public(base, exponent), expected, "{engine:?}");
        let other = [3];
        let job = |base| Job {
            modulus: &modulus,
            base,
            exponent,
        };
        // A partly filled batch with another base in it, which is refused if the modulus is 3.
        let cube = oracle.pow(&other, exponent);
        let jobs = [job(base), job(&other), job(base), job(base), job(&other)];
        let wanted = [&expected, &cube, &expected, &expected, &cube];
        let check = |powers: &[Result<Vec<u8>, OperandError>]| {
            for (power, wanted) in powers.iter().zip(wanted) {
                assert_eq!(power, wanted, "{engine:?}");
            }
        };
        check(&pow_many(&jobs));
        check(&pow_public_many(&jobs));
        let (first, second) = pow_pair(jobs[0], jobs[1]);
        check(&[first, second]);
    }
}

/// Any bytes as a key in any format: refused, or a key that signs, verifies, and is written and read back the same.
pub fn keys(data: &[u8]) {
    let private = [
        PrivateKey::from_pem(data),
        PrivateKey::from_pkcs8_der(data),
        PrivateKey::from_pkcs1_der(data),
        PrivateKey::from_jwk(data),
    ];
    for key in private.into_iter().flatten() {
        let der = key.to_pkcs1_der();
        let again = [
            PrivateKey::from_pem(&key.to_pkcs8_pem()),
            PrivateKey::from_pkcs8_der(&key.to_pkcs8_der()),
            PrivateKey::from_pkcs1_der(&der),
            PrivateKey::from_jwk(key.to_jwk().as_bytes()),
        ];
        for again in again {
            let again = again.expect("what we write we read");
            assert_eq!(*again.to_pkcs1_der(), *der);
        }
        // A composite "prime" cannot sign, and says so; whatever comes out verifies.
        if let Ok(signature) = key.sign(Scheme::RS256, b"fuzz") {
            let verdict = key.public_key().verify(Scheme::RS256, b"fuzz", &signature);
            assert_eq!(verdict, Ok(()));
        }
    }
    let public = [
        PublicKey::from_pem(data),
        PublicKey::from_spki_der(data),
        PublicKey::from_pkcs1_der(data),
        PublicKey::from_jwk(data),
    ];
    for key in public.into_iter().flatten() {
        let again = [
            PublicKey::from_pem(&key.to_spki_pem()),
            PublicKey::from_spki_der(&key.to_spki_der()),
            PublicKey::from_pkcs1_der(&key.to_pkcs1_der()),
            PublicKey::from_jwk(key.to_jwk().as_bytes()),
        ];
        for again in again {
            let again = again.expect("what we write we read");
            assert_eq!((again.n(), again.e()), (key.n(), key.e()));
        }
    }
}

/// No signature that is not of this message passes, whatever the content: the first bytes choose what is put into the signature.
pub fn verify(data: &[u8]) {
    let key = PrivateKey::from_jwk(RFC_KEY).expect("the standard's own key");
    let public = key.public_key();
    let schemes = [Scheme::RS256, Scheme::RS512, Scheme::PS256, Scheme::PS512];
    for scheme in schemes {
        assert!(public.verify(scheme, b"message", data).is_err());
        let Ok(mut signature) = key.sign(scheme, b"message") else {
            panic!("the standard's own key signs");
        };
        let before = signature.clone();
        for (byte, change) in signature.iter_mut().zip(data) {
            *byte ^= change;
        }
        let verdict = public.verify(scheme, b"message", &signature);
        assert_eq!(verdict.is_ok(), signature == before, "{scheme:?}");
    }
}

/// What a fuzzer should start from, and an ordinary test runs: target and bytes.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut pow_seed = |n: &[u8], base: &[u8], exponent: &[u8]| {
        let lengths = [n.len() as u16, base.len() as u16].map(u16::to_le_bytes);
        seeds.push(("pow", [lengths.as_flattened(), n, base, exponent].concat()));
    };
    pow_seed(&[23], &[5], &[3]);
    pow_seed(&[3], &[2], &[]);
    pow_seed(&[4], &[1], &[1]);
    pow_seed(&[], &[], &[]);
    for length in [8, 9, 64, 96, 100, 128, 192, 256] {
        let ones = vec![0xff; length]; // 2^k - 1
        let mut sparse = vec![0; length]; // 2^(k-1) + 1
        (sparse[0], sparse[length - 1]) = (0x80, 1);
        let mut last = ones.clone(); // n - 1
        last[length - 1] = 0xfe;
        pow_seed(&ones, &last, &ones[..length / 2]);
        pow_seed(&ones, &sparse, &[1, 0, 1]);
        pow_seed(&sparse, &sparse[1..], &[0xaa; 32]);
        pow_seed(&sparse, &ones, &[2]); // not below the modulus
    }

    let key = PrivateKey::from_jwk(RFC_KEY).expect("the standard's own key");
    let public = key.public_key();
    let files = [
        RFC_KEY.to_vec(),
        key.to_jwk().as_bytes().to_vec(),
        key.to_pkcs1_der().to_vec(),
        key.to_pkcs8_der().to_vec(),
        key.to_pkcs1_pem().to_vec(),
        key.to_pkcs8_pem().to_vec(),
        public.to_jwk().into_bytes(),
        public.to_pkcs1_der(),
        public.to_spki_der(),
        public.to_pkcs1_pem(),
        public.to_spki_pem(),
        b"{}".to_vec(),
        b"-----BEGIN PRIVATE KEY-----".to_vec(),
    ];
    seeds.extend(files.into_iter().map(|file| ("keys", file)));
    for content in [&[][..], &[0; 256], &[0xff; 256], &[0, 1], &[0; 257]] {
        seeds.push(("verify", content.to_vec()));
    }
    seeds
}
