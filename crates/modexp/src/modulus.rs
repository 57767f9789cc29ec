//! [`Modulus`]: bytes in, checked, computed by an engine, bytes out.

use std::fmt;
use std::sync::Arc;

#[cfg(stampmill_asm)]
use crate::adx::Adx;
#[cfg(stampmill_asm)]
use crate::cpu::{Ifma52, MulxAdx};
use crate::engine::{Engine, EngineError};
#[cfg(stampmill_asm)]
use crate::field::{Constants, power_of_two};
#[cfg(stampmill_asm)]
use crate::ifma::Ifma;
#[cfg(stampmill_asm)]
use crate::lanes::{LaneConstants, LaneKernel};
use crate::limbs::{self, LIMB_BYTES, Limb, Number};
use crate::montgomery::Montgomery;
#[cfg(stampmill_asm)]
use crate::mul::Mul;
use crate::portable::Portable;
use crate::reference::Reference;

/// The largest modulus, in bits; also, as bytes, the longest exponent.
pub const MAX_BITS: usize = 8192;

/// An odd modulus from 3 up to [`MAX_BITS`] bits, with the constants its engine needs.
///
/// Numbers go in and out as big-endian bytes. Operands may have leading zeros and must be below the modulus; results
/// are padded to [`byte_len`](Modulus::byte_len). The modulus itself may be secret (RSA's primes): `Debug` shows its
/// size alone, and it is overwritten when dropped, except by [`Engine::Reference`]. Cloning is cheap.
#[derive(Clone)]
pub struct Modulus {
    engine: Engine,
    bit_len: usize,
    n: Arc<Number>,
    arithmetic: Arc<dyn Arithmetic>,
    #[cfg(stampmill_asm)]
    lanes: Arc<LaneConstants>,
}

/// What an engine computes. All numbers have as many limbs as the modulus and are below it, except `wide`.
pub(crate) trait Arithmetic: Send + Sync {
    fn pow(&self, base: &[Limb], exponent: &[u8]) -> Number;
    fn pow_public(&self, base: &[Limb], exponent: &[u8]) -> Number;
    fn multiply(&self, a: &[Limb], b: &[Limb]) -> Number;
    fn reduce(&self, wide: &[Limb]) -> Number;
}

impl Modulus {
    /// A modulus for the [preferred engine](Engine::preferred).
    pub fn new(big_endian: &[u8]) -> Result<Modulus, ModulusError> {
        Modulus::with_engine(big_endian, Engine::preferred()?)
    }

    /// A modulus for the given engine.
    pub fn with_engine(big_endian: &[u8], engine: Engine) -> Result<Modulus, ModulusError> {
        engine.require()?;
        let leading_zeros = big_endian.iter().take_while(|&&byte| byte == 0).count();
        let significant = &big_endian[leading_zeros..];
        let [Some(first), Some(last)] = [significant.first(), significant.last()] else {
            return Err(ModulusError::TooSmall);
        };
        let bit_len = significant.len() * 8 - first.leading_zeros() as usize;
        if bit_len > MAX_BITS {
            return Err(ModulusError::TooLarge { bits: bit_len });
        }
        if bit_len == 1 {
            return Err(ModulusError::TooSmall);
        }
        if last & 1 == 0 {
            return Err(ModulusError::Even);
        }
        let n = limbs::from_be_bytes(significant, significant.len().div_ceil(LIMB_BYTES))
            .expect("the number of limbs comes from the number of bytes");
        let arithmetic = arithmetic(engine, &n, bit_len)?;
        Ok(Modulus {
            engine,
            bit_len,
            n: Arc::new(n),
            arithmetic,
            #[cfg(stampmill_asm)]
            lanes: Arc::default(),
        })
    }

    /// Length of the modulus, and of every result, in bytes.
    pub fn byte_len(&self) -> usize {
        self.bit_len.div_ceil(8)
    }

    /// Length of the modulus in bits.
    pub fn bit_len(&self) -> usize {
        self.bit_len
    }

    /// The engine that computes.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The modulus, big-endian, without leading zeros. A copy of a secret if the modulus is one.
    pub fn to_be_bytes(&self) -> Vec<u8> {
        limbs::to_be_bytes(&self.n, self.byte_len())
    }

    /// `base ^ exponent mod n` for a secret exponent and base.
    ///
    /// Constant time: it depends on the byte lengths of modulus, base and exponent, which are public, leading zeros
    /// counted. Pad an exponent to a fixed length if its size is secret. The empty exponent is zero, and `0 ^ 0` is 1.
    /// [`Engine::Reference`] runs in variable time.
    ///
    /// # Errors
    /// The base is not below the modulus, or the exponent has more than [`MAX_BITS`] bits, leading zeros counted.
    pub fn pow(&self, base: &[u8], exponent: &[u8]) -> Result<Vec<u8>, OperandError> {
        let base = self.operand("base", base)?;
        let exponent = checked_exponent(exponent)?;
        Ok(self.bytes(&self.arithmetic.pow(&base, exponent)))
    }

    /// `base ^ exponent mod n` where the *exponent is public*, such as RSA's 65537: its bits decide what is computed.
    /// The base may still be secret.
    ///
    /// # Errors
    /// As [`pow`](Modulus::pow).
    pub fn pow_public(&self, base: &[u8], exponent: &[u8]) -> Result<Vec<u8>, OperandError> {
        let base = self.operand("base", base)?;
        let exponent = checked_exponent(exponent)?;
        Ok(self.bytes(&self.arithmetic.pow_public(&base, exponent)))
    }

    /// `a · b mod n`, constant time.
    ///
    /// # Errors
    /// An operand is not below the modulus.
    pub fn multiply(&self, a: &[u8], b: &[u8]) -> Result<Vec<u8>, OperandError> {
        let (a, b) = (self.operand("a", a)?, self.operand("b", b)?);
        Ok(self.bytes(&self.arithmetic.multiply(&a, &b)))
    }

    /// `a + b mod n`, constant time.
    ///
    /// # Errors
    /// An operand is not below the modulus.
    pub fn add(&self, a: &[u8], b: &[u8]) -> Result<Vec<u8>, OperandError> {
        let (a, b) = (self.operand("a", a)?, self.operand("b", b)?);
        Ok(self.bytes(&limbs::add(&a, &b, &self.n)))
    }

    /// `a - b mod n`, constant time.
    ///
    /// # Errors
    /// An operand is not below the modulus.
    pub fn subtract(&self, a: &[u8], b: &[u8]) -> Result<Vec<u8>, OperandError> {
        let (a, b) = (self.operand("a", a)?, self.operand("b", b)?);
        Ok(self.bytes(&limbs::subtract(&a, &b, &self.n)))
    }

    /// `number mod n` for a number of at most [`MAX_BITS`] bits, constant time for its length.
    ///
    /// # Errors
    /// The number is longer than that.
    pub fn reduce(&self, number: &[u8]) -> Result<Vec<u8>, OperandError> {
        if number.len() > MAX_BITS / 8 {
            return Err(OperandError::TooLong {
                operand: "number",
                bytes: number.len(),
            });
        }
        let wide = limbs::from_be_bytes(number, number.len().div_ceil(LIMB_BYTES))
            .expect("the number of limbs comes from the number of bytes");
        Ok(self.bytes(&self.arithmetic.reduce(&wide)))
    }

    /// The modulus in limbs.
    #[cfg(stampmill_asm)]
    pub(crate) fn n(&self) -> &Number {
        &self.n
    }

    /// A kernel of several lanes for this modulus, if its engine has one.
    #[cfg(stampmill_asm)]
    pub(crate) fn lane_kernel<K: LaneKernel>(&self) -> Option<K> {
        let cpu = Ifma52::detect().filter(|_| self.engine == Engine::Ifma)?;
        K::for_limbs(cpu, self.n.len())
    }

    /// The constants of this modulus for such a kernel.
    #[cfg(stampmill_asm)]
    pub(crate) fn lane_constants<K: LaneKernel>(&self, kernel: K) -> &Constants {
        K::cell(&self.lanes).get_or_init(|| {
            let one = power_of_two(kernel.r_bits(self.n.len()), &self.n, self.bit_len);
            Constants {
                n: Number::clone(&self.n),
                r_squared: self.arithmetic.multiply(&one, &one),
                one,
            }
        })
    }

    /// Parses and checks an operand. Whether it is accepted is the one bit about it that is public, and the one branch that
    /// memcheck excuses (`tests/constant_time/memcheck.rs`): so this stays a function of its own.
    #[inline(never)]
    pub(crate) fn operand(
        &self,
        operand: &'static str,
        bytes: &[u8],
    ) -> Result<Number, OperandError> {
        limbs::from_be_bytes(bytes, self.n.len())
            .filter(|number| limbs::less_than(number, &self.n))
            .ok_or(OperandError::NotBelowModulus { operand })
    }

    pub(crate) fn bytes(&self, number: &[Limb]) -> Vec<u8> {
        limbs::to_be_bytes(number, self.byte_len())
    }
}

impl fmt::Debug for Modulus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modulus")
            .field("engine", &self.engine)
            .field("bit_len", &self.bit_len)
            .finish_non_exhaustive()
    }
}

/// The arithmetic of an available engine modulo `n`. What its kernel needs of the processor is proved here, and a size
/// that the kernel does not take goes to the next slower one.
fn arithmetic(
    engine: Engine,
    n: &[Limb],
    bit_len: usize,
) -> Result<Arc<dyn Arithmetic>, EngineError> {
    match engine {
        Engine::Reference => return Ok(Arc::new(Reference::new(n))),
        Engine::Portable => return Ok(Arc::new(Montgomery::new(Portable, n, bit_len))),
        Engine::Mul | Engine::Adx | Engine::Ifma => {}
    }
    #[cfg(stampmill_asm)]
    {
        let ifma = Ifma52::detect().filter(|_| engine == Engine::Ifma);
        if let Some(kernel) = ifma.and_then(|cpu| Ifma::for_limbs(cpu, n.len())) {
            return Ok(Arc::new(Montgomery::new(kernel, n, bit_len)));
        }
        match MulxAdx::detect().filter(|_| engine != Engine::Mul) {
            Some(cpu) => Ok(Arc::new(Montgomery::new(Adx(cpu), n, bit_len))),
            None => Ok(Arc::new(Montgomery::new(Mul, n, bit_len))),
        }
    }
    #[cfg(not(stampmill_asm))]
    Err(EngineError::NotAvailable { engine })
}

pub(crate) fn checked_exponent(exponent: &[u8]) -> Result<&[u8], OperandError> {
    if exponent.len() > MAX_BITS / 8 {
        return Err(OperandError::TooLong {
            operand: "exponent",
            bytes: exponent.len(),
        });
    }
    Ok(exponent)
}

/// Why a number cannot be a [`Modulus`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModulusError {
    /// Montgomery arithmetic needs an odd modulus.
    #[error("the modulus is even; Montgomery arithmetic needs an odd one")]
    Even,
    /// Zero or one.
    #[error("the modulus is below 3")]
    TooSmall,
    /// More than [`MAX_BITS`] bits.
    #[error("the modulus has {bits} bits; at most {MAX_BITS} are supported")]
    TooLarge {
        /// Its length in bits.
        bits: usize,
    },
    /// The engine cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why an operand was refused. The operand itself is not repeated: it may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperandError {
    /// The operand is not below the modulus.
    #[error("{operand} is not below the modulus")]
    NotBelowModulus {
        /// Which operand.
        operand: &'static str,
    },
    /// The operand is longer than any that is needed.
    #[error("{operand} has {bytes} bytes; at most {} are supported", MAX_BITS / 8)]
    TooLong {
        /// Which operand.
        operand: &'static str,
        /// Its length.
        bytes: usize,
    },
}
