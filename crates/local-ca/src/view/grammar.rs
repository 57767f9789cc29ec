//! The grammars: which elements stand where, and what the RFCs call them.

use crate::der::{self, Der, oid};

/// What may stand inside an element.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grammar {
    /// Nobody says.
    Any,
    /// These, in this order; those with a tag of their own may be absent.
    Fields(&'static [Field]),
    /// Any number of the same.
    List(&'static Field),
    /// A string that holds DER of this grammar.
    Wrapped(&'static Grammar),
    /// The value of an extension, by the object identifier beside it.
    ExtensionValue,
}

/// One element of a grammar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    /// Its tag, for one that may be absent or is a choice; 0 is whatever comes.
    tag: u8,
    inside: Grammar,
}

const fn field(name: &'static str, inside: Grammar) -> Field {
    Field {
        name,
        tag: 0,
        inside,
    }
}

const fn tagged(tag: u8, name: &'static str, inside: Grammar) -> Field {
    Field { name, tag, inside }
}

use Grammar::{Any, ExtensionValue, Fields, List, Wrapped};

const ALGORITHM: Grammar = Fields(&[field("algorithm", Any), field("parameters", Any)]);
const NAME: Grammar = List(&field(
    "RelativeDistinguishedName",
    List(&field(
        "AttributeTypeAndValue",
        Fields(&[field("type", Any), field("value", Any)]),
    )),
));
const PUBLIC_KEY: Grammar = Fields(&[
    field("algorithm", ALGORITHM),
    field("subjectPublicKey", Any),
]);
const EXTENSIONS: Grammar = List(&field(
    "Extension",
    Fields(&[
        field("extnID", Any),
        tagged(der::BOOLEAN, "critical", Any),
        tagged(der::OCTET_STRING, "extnValue", ExtensionValue),
    ]),
));
const GENERAL_NAME: Field = field("GeneralName", Any);

/// RFC 5280 §4.1.
const CERTIFICATE: Grammar = Fields(&[
    field(
        "tbsCertificate",
        Fields(&[
            tagged(der::CONTEXT_0, "version (0 is v1)", List(&field("", Any))),
            tagged(der::INTEGER, "serialNumber", Any),
            field("signature", ALGORITHM),
            field("issuer", NAME),
            field(
                "validity",
                Fields(&[field("notBefore", Any), field("notAfter", Any)]),
            ),
            field("subject", NAME),
            field("subjectPublicKeyInfo", PUBLIC_KEY),
            tagged(0xa3, "extensions", List(&field("", EXTENSIONS))),
        ]),
    ),
    field("signatureAlgorithm", ALGORITHM),
    field("signatureValue", Any),
]);

/// RFC 2986 §4.
const REQUEST: Grammar = Fields(&[
    field(
        "certificationRequestInfo",
        Fields(&[
            field("version", Any),
            field("subject", NAME),
            field("subjectPKInfo", PUBLIC_KEY),
            tagged(
                der::CONTEXT_0,
                "attributes",
                List(&field(
                    "Attribute",
                    Fields(&[
                        field("type", Any),
                        field("values", List(&field("", EXTENSIONS))),
                    ]),
                )),
            ),
        ]),
    ),
    field("signatureAlgorithm", ALGORITHM),
    field("signature", Any),
]);

/// RFC 5280 §5.1.
const CRL: Grammar = Fields(&[
    field(
        "tbsCertList",
        Fields(&[
            tagged(der::INTEGER, "version (1 is v2)", Any),
            field("signature", ALGORITHM),
            field("issuer", NAME),
            field("thisUpdate", Any),
            field("nextUpdate", Any),
            tagged(
                der::SEQUENCE,
                "revokedCertificates",
                List(&field(
                    "",
                    Fields(&[
                        field("userCertificate", Any),
                        field("revocationDate", Any),
                        field("crlEntryExtensions", EXTENSIONS),
                    ]),
                )),
            ),
            tagged(
                der::CONTEXT_0,
                "crlExtensions",
                List(&field("", EXTENSIONS)),
            ),
        ]),
    ),
    field("signatureAlgorithm", ALGORITHM),
    field("signatureValue", Any),
]);

/// RFC 6960 §4.2.1.
const OCSP_RESPONSE: Grammar = Fields(&[
    field("responseStatus (0 is successful)", Any),
    tagged(
        der::CONTEXT_0,
        "responseBytes",
        List(&field(
            "",
            Fields(&[
                field("responseType", Any),
                field("response", Wrapped(&BASIC_RESPONSE)),
            ]),
        )),
    ),
]);

const CERT_ID: Grammar = Fields(&[
    field("hashAlgorithm", ALGORITHM),
    field("issuerNameHash", Any),
    field("issuerKeyHash", Any),
    field("serialNumber", Any),
]);

const BASIC_RESPONSE: Grammar = List(&field(
    "BasicOCSPResponse",
    Fields(&[
        field(
            "tbsResponseData",
            Fields(&[
                tagged(der::CONTEXT_0, "version", Any),
                tagged(0xa1, "responderID byName", List(&field("", NAME))),
                tagged(0xa2, "responderID byKey", Any),
                field("producedAt", Any),
                tagged(
                    der::SEQUENCE,
                    "responses",
                    List(&field(
                        "SingleResponse",
                        Fields(&[
                            field("certID", CERT_ID),
                            tagged(0x80, "certStatus good", Any),
                            tagged(0xa1, "certStatus revoked", Any),
                            tagged(0x82, "certStatus unknown", Any),
                            field("thisUpdate", Any),
                            tagged(der::CONTEXT_0, "nextUpdate", Any),
                            tagged(0xa1, "singleExtensions", List(&field("", EXTENSIONS))),
                        ]),
                    )),
                ),
                tagged(0xa1, "responseExtensions", List(&field("", EXTENSIONS))),
            ]),
        ),
        field("signatureAlgorithm", ALGORITHM),
        field("signature", Any),
        tagged(
            der::CONTEXT_0,
            "certs",
            List(&field("", List(&field("Certificate", CERTIFICATE)))),
        ),
    ]),
));

/// RFC 6960 §4.1.1.
const OCSP_REQUEST: Grammar = Fields(&[field(
    "tbsRequest",
    Fields(&[
        tagged(der::CONTEXT_0, "version", Any),
        tagged(0xa1, "requestorName", Any),
        tagged(
            der::SEQUENCE,
            "requestList",
            List(&field("Request", Fields(&[field("reqCert", CERT_ID)]))),
        ),
        tagged(0xa2, "requestExtensions", List(&field("", EXTENSIONS))),
    ]),
)]);

/// RFC 7292 §4. What is inside is encrypted.
const PKCS12: Grammar = Fields(&[
    field("version", Any),
    field(
        "authSafe",
        Fields(&[field("contentType", Any), field("content", Any)]),
    ),
    field(
        "macData",
        Fields(&[
            field(
                "mac",
                Fields(&[field("digestAlgorithm", ALGORITHM), field("digest", Any)]),
            ),
            field("macSalt", Any),
            field("iterations", Any),
        ]),
    ),
]);

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Certificate,
    Request,
    Crl,
    OcspRequest,
    OcspResponse,
    Pkcs12,
    PrivateKey,
    Other,
}

impl Kind {
    /// Told by the tags at the beginning.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let Ok(outer) = der::only(bytes, der::SEQUENCE) else {
            return Self::Other;
        };
        let tags = |mut elements: Der<'_>| {
            let mut tags = Vec::new();
            while let Ok(element) = elements.element() {
                tags.push(element.tag);
                if tags.len() == 4 {
                    break;
                }
            }
            tags
        };
        let first = outer.inside().element();
        let inner = first.map_or(Vec::new(), |first| tags(first.inside()));
        const S: u8 = der::SEQUENCE;
        match (tags(outer.inside()).as_slice(), inner.as_slice()) {
            // PrivateKeyInfo and EncryptedPrivateKeyInfo (RFC 5958), RSAPrivateKey, ECPrivateKey
            ([der::INTEGER, S, der::OCTET_STRING, ..] | [der::INTEGER, der::INTEGER, ..], _)
            | ([der::INTEGER, der::OCTET_STRING, ..] | [S, der::OCTET_STRING], _) => {
                Self::PrivateKey
            }
            ([der::INTEGER, S, ..], _) => Self::Pkcs12,
            ([0x0a, ..], _) => Self::OcspResponse,
            // the second is of version 1: serial, algorithm, issuer, validity
            (
                [S, S, der::BIT_STRING],
                [der::CONTEXT_0, der::INTEGER, ..] | [der::INTEGER, S, S, S],
            ) => Self::Certificate,
            (
                [S, S, der::BIT_STRING],
                [der::INTEGER, S, S, der::CONTEXT_0] | [der::INTEGER, S, S],
            ) => Self::Request,
            ([S, S, der::BIT_STRING], [der::INTEGER | S, ..]) => Self::Crl,
            ([S] | [S, der::CONTEXT_0], [S | der::CONTEXT_0 | 0xa1, ..]) => Self::OcspRequest,
            _ => Self::Other,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Certificate => "certificate (RFC 5280 §4.1)",
            Self::Request => "certificate request (RFC 2986 §4)",
            Self::Crl => "certificate revocation list (RFC 5280 §5.1)",
            Self::OcspRequest => "OCSP question (RFC 6960 §4.1.1)",
            Self::OcspResponse => "OCSP answer (RFC 6960 §4.2.1)",
            Self::Pkcs12 => "PKCS #12 file (RFC 7292 §4); key and certificates in it are encrypted",
            Self::PrivateKey => "private key",
            Self::Other => "DER",
        }
    }

    pub(super) fn grammar(self) -> Grammar {
        match self {
            Self::Certificate => const { List(&field("Certificate", CERTIFICATE)) },
            Self::Request => const { List(&field("CertificationRequest", REQUEST)) },
            Self::Crl => const { List(&field("CertificateList", CRL)) },
            Self::OcspRequest => const { List(&field("OCSPRequest", OCSP_REQUEST)) },
            Self::OcspResponse => const { List(&field("OCSPResponse", OCSP_RESPONSE)) },
            Self::Pkcs12 => const { List(&field("PFX", PKCS12)) },
            Self::PrivateKey | Self::Other => Any,
        }
    }
}

impl Grammar {
    pub(super) fn fields(self) -> Progress {
        Progress {
            grammar: self,
            next: 0,
        }
    }

    /// What the value of this extension consists of.
    pub(super) fn of_extension(extension: &[u8]) -> Self {
        EXTENSION_VALUES
            .iter()
            .find(|(known, _)| *known == extension)
            .map_or(Any, |(_, grammar)| *grammar)
    }
}

/// What the values of extensions consist of.
const EXTENSION_VALUES: &[(&[u8], Grammar)] = &[
    (
        oid::BASIC_CONSTRAINTS,
        List(&field(
            "BasicConstraints",
            Fields(&[
                tagged(der::BOOLEAN, "cA", Any),
                tagged(der::INTEGER, "pathLenConstraint", Any),
            ]),
        )),
    ),
    (oid::KEY_USAGE, List(&field("KeyUsage", Any))),
    (
        oid::EXTENDED_KEY_USAGE,
        List(&field(
            "ExtKeyUsageSyntax",
            List(&field("KeyPurposeId", Any)),
        )),
    ),
    (
        oid::SUBJECT_ALT_NAME,
        List(&field("GeneralNames", List(&GENERAL_NAME))),
    ),
    (
        oid::ISSUER_ALT_NAME,
        List(&field("GeneralNames", List(&GENERAL_NAME))),
    ),
    (
        oid::SUBJECT_KEY_IDENTIFIER,
        List(&field("KeyIdentifier", Any)),
    ),
    (
        oid::AUTHORITY_KEY_IDENTIFIER,
        List(&field(
            "AuthorityKeyIdentifier",
            Fields(&[tagged(0x80, "keyIdentifier", Any)]),
        )),
    ),
    (
        oid::NAME_CONSTRAINTS,
        List(&field(
            "NameConstraints",
            Fields(&[
                tagged(
                    der::CONTEXT_0,
                    "permittedSubtrees",
                    List(&field("GeneralSubtree", List(&field("base", Any)))),
                ),
                tagged(
                    0xa1,
                    "excludedSubtrees",
                    List(&field("GeneralSubtree", List(&field("base", Any)))),
                ),
            ]),
        )),
    ),
    (
        oid::CRL_DISTRIBUTION_POINTS,
        List(&field(
            "CRLDistributionPoints",
            List(&field(
                "DistributionPoint",
                Fields(&[tagged(
                    der::CONTEXT_0,
                    "distributionPoint",
                    Fields(&[tagged(der::CONTEXT_0, "fullName", List(&GENERAL_NAME))]),
                )]),
            )),
        )),
    ),
    (
        oid::AUTHORITY_INFO_ACCESS,
        List(&field(
            "AuthorityInfoAccessSyntax",
            List(&field(
                "AccessDescription",
                Fields(&[field("accessMethod", Any), field("accessLocation", Any)]),
            )),
        )),
    ),
    (
        oid::CERTIFICATE_POLICIES,
        List(&field(
            "certificatePolicies",
            List(&field(
                "PolicyInformation",
                Fields(&[field("policyIdentifier", Any)]),
            )),
        )),
    ),
    (oid::CRL_NUMBER, List(&field("CRLNumber", Any))),
    (oid::REASON_CODE, List(&field("CRLReason", Any))),
    (oid::OCSP_NONCE, List(&field("Nonce", Any))),
];

/// How far a sequence has been read.
pub(super) struct Progress {
    grammar: Grammar,
    next: usize,
}

impl Progress {
    /// The name and grammar of the next element, by its tag.
    pub(super) fn next(&mut self, tag: u8) -> (&'static str, Grammar) {
        match self.grammar {
            List(field) => (field.name, field.inside),
            Fields(fields) => {
                while let Some(field) = fields.get(self.next) {
                    self.next += 1;
                    if field.tag == 0 || field.tag == tag {
                        return (field.name, field.inside);
                    }
                }
                ("", Any)
            }
            Any | Wrapped(_) | ExtensionValue => ("", Any),
        }
    }
}
