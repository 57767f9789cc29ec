//! The groups: one row each.

use std::fmt;
use std::sync::OnceLock;

use num_bigint::BigUint;
use stampmill_modexp::Modulus;

use crate::error::DhError;

/// The multiplicative group modulo a prime, and a generator: the public parameters of an exchange.
///
/// Every prime here is a safe prime, `p = 2q + 1` with `q` prime, so that the only small subgroups are those of 1 and
/// of `p - 1`. A `Group` is a reference to a row of a fixed table and is copied freely.
#[derive(Clone, Copy)]
pub struct Group(&'static Row);

struct Row {
    name: &'static str,
    /// Where the parameters come from.
    source: &'static str,
    p: &'static str,
    g: u8,
    private_values: PrivateValues,
    /// Named groups refuse peers' values outside `2..=p-2` and outside the subgroup; the toy shows what they do instead.
    checks_public_values: bool,
    modulus: OnceLock<Modulus>,
}

/// How private values are drawn.
#[derive(Clone, Copy)]
pub(crate) enum PrivateValues {
    /// Uniform in `1 ..= p - 2`, as the post does.
    Full,
    /// Uniform in `1 .. 2^bits`.
    Short {
        /// A multiple of eight.
        bits: usize,
    },
}

/// RFC 7919 appendix A.1 asks for at least 225 bits in a 2048-bit group, twice its strength against Pollard's methods.
/// 256 is the next size in whole limbs, and needs the same number of windows as 253 to 256 bits do.
const SHORT: PrivateValues = PrivateValues::Short { bits: 256 };

static ROWS: [Row; 3] = [
    Row {
        name: "toy",
        source: "the post's example",
        p: "17",
        g: 5,
        private_values: PrivateValues::Full,
        checks_public_values: false,
        modulus: OnceLock::new(),
    },
    Row {
        name: "modp2048",
        source: "RFC 3526 section 3 (IKE group 14)",
        p: "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22\
         514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6\
         f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3d\
         c2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb\
         9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e8603\
         9b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510\
         15728e5a8aacaa68ffffffffffffffff",
        g: 2,
        private_values: SHORT,
        checks_public_values: true,
        modulus: OnceLock::new(),
    },
    Row {
        name: "ffdhe2048",
        source: "RFC 7919 appendix A.1 (TLS group 256)",
        p: "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fb\
         cc939dce249b3ef97d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0\
         856365553ded1af3b557135e7f57c935984f0c70e0e68b77e2a689daf3efe8721df158a136ade735\
         30acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7f4681d4f42a3de394df4\
         ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff\
         8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa\
         886b423861285c97ffffffffffffffff",
        g: 2,
        private_values: SHORT,
        checks_public_values: true,
        modulus: OnceLock::new(),
    },
];

impl Group {
    /// Every group, smallest first.
    pub fn all() -> impl Iterator<Item = Group> {
        ROWS.iter().map(Group)
    }

    /// `p = 23`, `g = 5`: small enough to see everything, and to break by trying.
    pub fn toy() -> Group {
        Group(&ROWS[0])
    }

    /// The 2048-bit group of RFC 3526 §3, IKE's group 14, `g = 2`.
    pub fn modp2048() -> Group {
        Group(&ROWS[1])
    }

    /// The 2048-bit group of RFC 7919 appendix A.1, `g = 2`.
    pub fn ffdhe2048() -> Group {
        Group(&ROWS[2])
    }

    /// The group with this name: `toy`, `modp2048` or `ffdhe2048`.
    pub fn by_name(name: &str) -> Option<Group> {
        Group::all().find(|group| group.name() == name)
    }

    /// The group's name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Where the parameters come from.
    pub fn source(&self) -> &'static str {
        self.0.source
    }

    /// The prime, big-endian.
    pub fn p(&self) -> Vec<u8> {
        self.prime().to_bytes_be()
    }

    /// The generator, big-endian.
    pub fn g(&self) -> Vec<u8> {
        vec![self.0.g]
    }

    /// Length of the prime, of public values and of shared secrets, in bytes.
    pub fn byte_len(&self) -> usize {
        self.prime().bits().div_ceil(8) as usize
    }

    /// Whether public values that weaken the exchange are refused. On the toy they are shown instead.
    pub fn checks_public_values(&self) -> bool {
        self.0.checks_public_values
    }

    pub(crate) fn private_values(&self) -> PrivateValues {
        self.0.private_values
    }

    pub(crate) fn prime(&self) -> BigUint {
        BigUint::parse_bytes(self.0.p.as_bytes(), 16).expect("the table holds hexadecimal numbers")
    }

    /// The modulus with its constants, made once a process. Fails only if `STAMPMILL_ENGINE` names no usable engine.
    pub(crate) fn modulus(&self) -> Result<&'static Modulus, DhError> {
        if let Some(modulus) = self.0.modulus.get() {
            return Ok(modulus);
        }
        let modulus = Modulus::new(&self.p()).map_err(DhError::Engine)?;
        Ok(self.0.modulus.get_or_init(|| modulus))
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Group) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Group {}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.0.name)
    }
}
