//! ECDSA on the NIST curves, signatures as JOSE writes them: R and S, each as long as a coordinate, one behind the other
//! (RFC 7518 §3.4). X.509 and TLS use DER instead; such a signature is refused here by its length.

use std::sync::LazyLock;

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcGroupRef, EcKey, EcKeyRef, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, Private, Public};

use crate::curve::Curve;
use crate::error::{JoseError, KeyError};
use crate::hash::digest;

/// A point on a curve.
#[derive(Clone)]
pub(crate) struct EcPublic {
    curve: Curve,
    /// Big-endian, as long as the field's prime.
    x: Vec<u8>,
    y: Vec<u8>,
    key: EcKey<Public>,
}

impl EcPublic {
    /// Reads coordinates of exactly the curve's length (RFC 7518 §6.2.1.2), and checks that the point is on the curve: off it
    /// lies a weaker curve (the invalid-curve attack of Biehl, Meyer and Müller, CRYPTO 2000).
    pub(crate) fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let length = curve.coordinate_bytes();
        for (member, coordinate) in [("x", x), ("y", y)] {
            if coordinate.len() != length {
                return Err(KeyError::Member {
                    member,
                    expected: "as many octets as the curve's prime has (RFC 7518 §6.2.1.2)",
                });
            }
        }
        let key = on_curve(curve, x, y).map_err(|_| KeyError::NotOnCurve {
            curve: curve.name(),
        })?;
        Ok(Self {
            curve,
            x: x.to_vec(),
            y: y.to_vec(),
            key,
        })
    }

    /// The public half of a key of OpenSSL's.
    pub(crate) fn of<T: HasPublic>(key: &EcKeyRef<T>) -> Result<Self, JoseError> {
        let curve = curve_of(key.group()).ok_or(KeyError::Curve {
            actual: key
                .group()
                .curve_name()
                .and_then(|nid| nid.short_name().ok())
                .unwrap_or("explicit parameters")
                .to_owned(),
        })?;
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        let mut context = openssl::bn::BigNumContext::new()?;
        key.public_key()
            .affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
        let padded = |number: &BigNum| number.to_vec_padded(length_for_openssl(curve));
        Ok(Self::new(curve, &padded(&x)?, &padded(&y)?)?)
    }

    pub(crate) fn curve(&self) -> Curve {
        self.curve
    }

    pub(crate) fn x(&self) -> &[u8] {
        &self.x
    }

    pub(crate) fn y(&self) -> &[u8] {
        &self.y
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let half = self.curve.coordinate_bytes();
        signature.len() == 2 * half
            && self
                .check(message, &signature[..half], &signature[half..])
                .unwrap_or(false)
    }

    /// That R and S are from 1 to the group's order minus one is checked by OpenSSL.
    fn check(&self, message: &[u8], r: &[u8], s: &[u8]) -> Result<bool, ErrorStack> {
        let signature =
            EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
        signature.verify(&digest(self.curve.hash(), message), &self.key)
    }
}

/// A private key.
pub(crate) struct EcPrivate {
    curve: Curve,
    key: EcKey<Private>,
}

impl EcPrivate {
    pub(crate) fn new(curve: Curve, key: EcKey<Private>) -> Result<Self, KeyError> {
        match curve_of(key.group()) == Some(curve) {
            true => Ok(Self { curve, key }),
            false => Err(KeyError::AlgorithmOfOtherKind {
                algorithm: curve.algorithm(),
            }),
        }
    }

    pub(crate) fn generate(curve: Curve) -> Result<EcKey<Private>, ErrorStack> {
        EcKey::generate(group(curve))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let signature = EcdsaSig::sign(&digest(self.curve.hash(), message), &self.key)?;
        let length = length_for_openssl(self.curve);
        let mut bytes = signature.r().to_vec_padded(length)?;
        bytes.extend(signature.s().to_vec_padded(length)?);
        Ok(bytes)
    }
}

/// The key with this point, if it is one: both coordinates below the prime, on the curve. The curves have prime order, so
/// that a point on the curve is also in the right group.
fn on_curve(curve: Curve, x: &[u8], y: &[u8]) -> Result<EcKey<Public>, ErrorStack> {
    const UNCOMPRESSED: u8 = 4; // SEC 1 §2.3.4
    let group = group(curve);
    let octets = [&[UNCOMPRESSED], x, y].concat();
    let mut context = openssl::bn::BigNumContext::new()?;
    let point = EcPoint::from_bytes(group, &octets, &mut context)?;
    EcKey::from_public_key(group, &point)
}

fn curve_of(group: &EcGroupRef) -> Option<Curve> {
    Curve::from_nid(group.curve_name()?)
}

/// OpenSSL's form of a curve; making one costs more than a signature.
fn group(curve: Curve) -> &'static EcGroup {
    static GROUPS: [LazyLock<EcGroup>; Curve::ALL.len()] = [
        LazyLock::new(|| make(Curve::ALL[0])),
        LazyLock::new(|| make(Curve::ALL[1])),
        LazyLock::new(|| make(Curve::ALL[2])),
    ];
    fn make(curve: Curve) -> EcGroup {
        EcGroup::from_curve_name(curve.nid()).expect("OpenSSL has the NIST curves")
    }
    &GROUPS[curve as usize]
}

fn length_for_openssl(curve: Curve) -> i32 {
    i32::try_from(curve.coordinate_bytes()).expect("at most 66")
}
