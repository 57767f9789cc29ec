//! Object identifiers, one row each: the octets inside the DER and the name that RFC 5280 and its neighbours give them.

/// An identifier that this crate writes, reads or names.
#[derive(Debug)]
pub(crate) struct Oid {
    /// The contents octets, without tag and length.
    pub(crate) octets: &'static [u8],
    /// The specification's name for it.
    pub(crate) name: &'static str,
}

macro_rules! oids {
    ($($constant:ident = $octets:literal, $name:literal;)*) => {
        // Some are only named when they are met, never written.
        $(#[allow(dead_code)]
        pub(crate) const $constant: &[u8] = $octets;)*
        /// Every identifier known here.
        pub(crate) const ALL: &[Oid] = &[$(Oid { octets: $octets, name: $name },)*];
    };
}

oids! {
    // attributes of names (RFC 5280 Appendix A.1)
    COMMON_NAME = b"\x55\x04\x03", "commonName";
    COUNTRY = b"\x55\x04\x06", "countryName";
    LOCALITY = b"\x55\x04\x07", "localityName";
    STATE = b"\x55\x04\x08", "stateOrProvinceName";
    ORGANIZATION = b"\x55\x04\x0a", "organizationName";
    ORGANIZATIONAL_UNIT = b"\x55\x04\x0b", "organizationalUnitName";
    // extensions of certificates (RFC 5280 §4.2)
    SUBJECT_KEY_IDENTIFIER = b"\x55\x1d\x0e", "subjectKeyIdentifier";
    KEY_USAGE = b"\x55\x1d\x0f", "keyUsage";
    SUBJECT_ALT_NAME = b"\x55\x1d\x11", "subjectAltName";
    ISSUER_ALT_NAME = b"\x55\x1d\x12", "issuerAltName";
    BASIC_CONSTRAINTS = b"\x55\x1d\x13", "basicConstraints";
    NAME_CONSTRAINTS = b"\x55\x1d\x1e", "nameConstraints";
    CRL_DISTRIBUTION_POINTS = b"\x55\x1d\x1f", "cRLDistributionPoints";
    CERTIFICATE_POLICIES = b"\x55\x1d\x20", "certificatePolicies";
    AUTHORITY_KEY_IDENTIFIER = b"\x55\x1d\x23", "authorityKeyIdentifier";
    EXTENDED_KEY_USAGE = b"\x55\x1d\x25", "extendedKeyUsage";
    AUTHORITY_INFO_ACCESS = b"\x2b\x06\x01\x05\x05\x07\x01\x01", "authorityInfoAccess";
    TLS_FEATURE = b"\x2b\x06\x01\x05\x05\x07\x01\x18", "tlsFeature";
    ACME_IDENTIFIER = b"\x2b\x06\x01\x05\x05\x07\x01\x1f", "acmeIdentifier";
    // extensions of CRLs and their entries (RFC 5280 §5.2, §5.3)
    CRL_NUMBER = b"\x55\x1d\x14", "cRLNumber";
    REASON_CODE = b"\x55\x1d\x15", "reasonCode";
    INVALIDITY_DATE = b"\x55\x1d\x18", "invalidityDate";
    DELTA_CRL = b"\x55\x1d\x1b", "deltaCRLIndicator";
    ISSUING_DISTRIBUTION_POINT = b"\x55\x1d\x1c", "issuingDistributionPoint";
    // what a key may be used for (RFC 5280 §4.2.1.12)
    ANY_EXTENDED_KEY_USAGE = b"\x55\x1d\x25\x00", "anyExtendedKeyUsage";
    SERVER_AUTH = b"\x2b\x06\x01\x05\x05\x07\x03\x01", "serverAuth";
    CLIENT_AUTH = b"\x2b\x06\x01\x05\x05\x07\x03\x02", "clientAuth";
    CODE_SIGNING = b"\x2b\x06\x01\x05\x05\x07\x03\x03", "codeSigning";
    EMAIL_PROTECTION = b"\x2b\x06\x01\x05\x05\x07\x03\x04", "emailProtection";
    TIME_STAMPING = b"\x2b\x06\x01\x05\x05\x07\x03\x08", "timeStamping";
    OCSP_SIGNING = b"\x2b\x06\x01\x05\x05\x07\x03\x09", "OCSPSigning";
    // policies (Baseline Requirements §7.1.6.1) and access methods (RFC 5280 §4.2.2.1)
    DOMAIN_VALIDATED = b"\x67\x81\x0c\x01\x02\x01", "domain-validated";
    AD_OCSP = b"\x2b\x06\x01\x05\x05\x07\x30\x01", "ocsp";
    AD_CA_ISSUERS = b"\x2b\x06\x01\x05\x05\x07\x30\x02", "caIssuers";
    // OCSP (RFC 6960 §4)
    OCSP_BASIC = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x01", "id-pkix-ocsp-basic";
    OCSP_NONCE = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x02", "id-pkix-ocsp-nonce";
    OCSP_NO_CHECK = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x05", "id-pkix-ocsp-nocheck";
    // keys (RFC 3279, 5480, 8410, 9881)
    RSA_ENCRYPTION = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "rsaEncryption";
    EC_PUBLIC_KEY = b"\x2a\x86\x48\xce\x3d\x02\x01", "id-ecPublicKey";
    P256 = b"\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-256";
    P384 = b"\x2b\x81\x04\x00\x22", "P-384";
    P521 = b"\x2b\x81\x04\x00\x23", "P-521";
    ED25519 = b"\x2b\x65\x70", "Ed25519";
    ML_DSA_44 = b"\x60\x86\x48\x01\x65\x03\x04\x03\x11", "ML-DSA-44";
    ML_DSA_65 = b"\x60\x86\x48\x01\x65\x03\x04\x03\x12", "ML-DSA-65";
    ML_DSA_87 = b"\x60\x86\x48\x01\x65\x03\x04\x03\x13", "ML-DSA-87";
    // signatures and digests
    SHA1_WITH_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "sha1WithRSAEncryption";
    RSASSA_PSS = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSASSA-PSS";
    SHA256_WITH_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", "sha256WithRSAEncryption";
    SHA384_WITH_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", "sha384WithRSAEncryption";
    SHA512_WITH_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", "sha512WithRSAEncryption";
    ECDSA_WITH_SHA1 = b"\x2a\x86\x48\xce\x3d\x04\x01", "ecdsa-with-SHA1";
    ECDSA_WITH_SHA256 = b"\x2a\x86\x48\xce\x3d\x04\x03\x02", "ecdsa-with-SHA256";
    ECDSA_WITH_SHA384 = b"\x2a\x86\x48\xce\x3d\x04\x03\x03", "ecdsa-with-SHA384";
    ECDSA_WITH_SHA512 = b"\x2a\x86\x48\xce\x3d\x04\x03\x04", "ecdsa-with-SHA512";
    SHA1 = b"\x2b\x0e\x03\x02\x1a", "SHA-1";
    SHA256 = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", "SHA-256";
    SHA384 = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", "SHA-384";
    SHA512 = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", "SHA-512";
    // requests (RFC 2985)
    EXTENSION_REQUEST = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e", "extensionRequest";
    // encrypted keys and PKCS #12 (RFC 8018, 7914, 7292)
    PBES2 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", "PBES2";
    PBKDF2 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c", "PBKDF2";
    SCRYPT = b"\x2b\x06\x01\x04\x01\xda\x47\x04\x0b", "scrypt";
    AES_256_CBC = b"\x60\x86\x48\x01\x65\x03\x04\x01\x2a", "aes256-CBC";
    HMAC_SHA256 = b"\x2a\x86\x48\x86\xf7\x0d\x02\x09", "hmacWithSHA256";
    PKCS7_DATA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", "data";
    PKCS7_ENCRYPTED_DATA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06", "encryptedData";
    PKCS12_SHROUDED_KEY = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02", "pkcs8ShroudedKeyBag";
    PKCS12_CERTIFICATE = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03", "certBag";
    X509_CERTIFICATE = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01", "x509Certificate";
    FRIENDLY_NAME = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14", "friendlyName";
    LOCAL_KEY_ID = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x15", "localKeyID";
}

/// The name of an identifier, or its numbers in dots.
pub(crate) fn name(octets: &[u8]) -> String {
    known(octets).map_or_else(|| dotted(octets), str::to_owned)
}

/// The name of an identifier that is known here.
pub(crate) fn known(octets: &[u8]) -> Option<&'static str> {
    ALL.iter()
        .find(|oid| oid.octets == octets)
        .map(|oid| oid.name)
}

/// An object identifier in dots, for messages: `1.3.6.1.5.5.7.1.1`. At most 32 octets of it are read.
pub(crate) fn dotted(oid: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in oid.iter().take(32) {
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    // the first number holds two arcs: 40 × first + second, the first being at most 2 (X.690 §8.19.4)
    let Some((&first, rest)) = arcs.split_first() else {
        return "an empty object identifier".to_owned();
    };
    let root = (first / 40).min(2);
    let head = [root, first - 40 * root];
    let texts: Vec<String> = head.iter().chain(rest).map(u64::to_string).collect();
    texts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_one_name_and_one_spelling() {
        for (index, oid) in ALL.iter().enumerate() {
            let twin = ALL[..index]
                .iter()
                .find(|other| other.octets == oid.octets || other.name == oid.name);
            assert!(twin.is_none(), "{oid:?} and {twin:?}");
        }
        assert_eq!(name(SUBJECT_ALT_NAME), "subjectAltName");
        assert_eq!(dotted(SUBJECT_ALT_NAME), "2.5.29.17");
        assert_eq!(dotted(SCRYPT), "1.3.6.1.4.1.11591.4.11");
        assert_eq!(name(&RSA_ENCRYPTION[..6]), "1.2.840.113549");
        assert_eq!(dotted(&[]), "an empty object identifier");
        assert!(!dotted(&[0xff; 40]).is_empty());
    }
}
