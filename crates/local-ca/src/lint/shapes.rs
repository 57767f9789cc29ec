//! The ASN.1 of certificates, lists and answers, and what extensions consist of, as shapes for the strict walk.

use super::strict::Shape::{
    Algorithm, Any, Around, ByAlgorithm, Choice, Extension, Fields, List, NamedBits, Set, Several,
    Simple, SomeOf, Tagged, Wrapped,
};
use super::strict::{Field, Shape, field, optional, or_else};
use crate::der;

const ENUMERATED: Shape = Simple(0x0a);
const NULL: u8 = 0x05;
const IA5: Shape = Simple(0x16);
const BITS: Shape = Simple(der::BIT_STRING);
pub(super) const INTEGER: Shape = Simple(der::INTEGER);
pub(super) const OCTETS: Shape = Simple(der::OCTET_STRING);
pub(super) const NOTHING: Shape = Simple(NULL);
pub(super) const REASON: Shape = ENUMERATED;
const OID: Shape = Simple(der::OID);
const BOOLEAN: Shape = Simple(der::BOOLEAN);
pub(super) const GENERALIZED: Shape = Simple(der::GENERALIZED_TIME);
const TIME: Shape = Choice(&[Simple(der::UTC_TIME), GENERALIZED]);

const ATTRIBUTE: Shape = Fields(&[field("type", OID), field("value", Any)]);
const RELATIVE_NAME: Shape = Set(&ATTRIBUTE);
const NAME: Shape = List(&RELATIVE_NAME);
const EXTENSIONS: Shape = Several(&Extension);

/// RFC 5280 §4.1.
pub(super) const CERTIFICATE: Shape = Fields(&[
    field(
        "tbsCertificate",
        Fields(&[
            or_else("version", Around(0xa0, &INTEGER), &[2, 1, 0]),
            field("serialNumber", INTEGER),
            field("signature", Algorithm),
            field("issuer", NAME),
            field(
                "validity",
                Fields(&[field("notBefore", TIME), field("notAfter", TIME)]),
            ),
            field("subject", NAME),
            field(
                "subjectPublicKeyInfo",
                Fields(&[
                    field("algorithm", Algorithm),
                    field("subjectPublicKey", ByAlgorithm),
                ]),
            ),
            optional("issuerUniqueID", Tagged(0x81, &BITS)),
            optional("subjectUniqueID", Tagged(0x82, &BITS)),
            optional("extensions", Around(0xa3, &EXTENSIONS)),
        ]),
    ),
    field("signatureAlgorithm", Algorithm),
    field("signatureValue", ByAlgorithm),
]);

/// RFC 5280 §5.1. That it lists nothing in an empty list is asked by L5.
pub(super) const REVOCATION_LIST: Shape = Fields(&[
    field(
        "tbsCertList",
        Fields(&[
            optional("version", INTEGER),
            field("signature", Algorithm),
            field("issuer", NAME),
            field("thisUpdate", TIME),
            optional("nextUpdate", TIME),
            optional(
                "revokedCertificates",
                List(&Fields(&[
                    field("userCertificate", INTEGER),
                    field("revocationDate", TIME),
                    optional("crlEntryExtensions", EXTENSIONS),
                ])),
            ),
            optional("crlExtensions", Around(0xa0, &EXTENSIONS)),
        ]),
    ),
    field("signatureAlgorithm", Algorithm),
    field("signatureValue", ByAlgorithm),
]);

/// RFC 6960 §4.2.1. That it answers something is asked by P2.
pub(super) const OCSP_ANSWER: Shape = Fields(&[
    field("responseStatus", ENUMERATED),
    optional(
        "responseBytes",
        Around(
            0xa0,
            &Fields(&[
                field("responseType", OID),
                field("response", Wrapped(&BASIC_ANSWER)),
            ]),
        ),
    ),
]);

const BASIC_ANSWER: Shape = Fields(&[
    field(
        "tbsResponseData",
        Fields(&[
            or_else("version", Around(0xa0, &INTEGER), &[2, 1, 0]),
            field(
                "responderID",
                Choice(&[Around(0xa1, &NAME), Around(0xa2, &OCTETS)]),
            ),
            field("producedAt", GENERALIZED),
            field("responses", List(&SINGLE_ANSWER)),
            optional("responseExtensions", Around(0xa1, &EXTENSIONS)),
        ]),
    ),
    field("signatureAlgorithm", Algorithm),
    field("signature", ByAlgorithm),
    optional("certs", Around(0xa0, &List(&CERTIFICATE))),
]);

const SINGLE_ANSWER: Shape = Fields(&[
    field(
        "certID",
        Fields(&[
            field("hashAlgorithm", Algorithm),
            field("issuerNameHash", OCTETS),
            field("issuerKeyHash", OCTETS),
            field("serialNumber", INTEGER),
        ]),
    ),
    field(
        "certStatus",
        Choice(&[
            Tagged(0x80, &NOTHING),
            Tagged(
                0xa1,
                &Fields(&[
                    field("revocationTime", GENERALIZED),
                    optional("revocationReason", Around(0xa0, &ENUMERATED)),
                ]),
            ),
            Tagged(0x82, &NOTHING),
        ]),
    ),
    field("thisUpdate", GENERALIZED),
    optional("nextUpdate", Around(0xa0, &GENERALIZED)),
    optional("singleExtensions", Around(0xa1, &EXTENSIONS)),
]);

// ---- values of extensions, in the order of RFC 5280 §4.2.1, §4.2.2, §5.2 -------------------------------------------------------

pub(super) const AUTHORITY_KEY: Shape = SomeOf(&[
    optional("keyIdentifier", Tagged(0x80, &OCTETS)),
    optional("authorityCertIssuer", Tagged(0xa1, &GENERAL_NAMES)),
    optional("authorityCertSerialNumber", Tagged(0x82, &INTEGER)),
]);
pub(super) const KEY_USAGE: Shape = NamedBits;
pub(super) const POLICIES: Shape = Several(&Fields(&[
    field("policyIdentifier", OID),
    optional(
        "policyQualifiers",
        Several(&Fields(&[
            field("policyQualifierId", OID),
            field("qualifier", Any),
        ])),
    ),
]));
pub(super) const POLICY_MAPPINGS: Shape = Several(&Fields(&[
    field("issuerDomainPolicy", OID),
    field("subjectDomainPolicy", OID),
]));

pub(super) const GENERAL_NAMES: Shape = Several(&GENERAL_NAME);
const GENERAL_NAME: Shape = Choice(&[
    Tagged(
        0xa0,
        &Fields(&[field("type-id", OID), field("value", Around(0xa0, &Any))]),
    ),
    Tagged(0x81, &IA5),
    Tagged(0x82, &IA5),
    Tagged(0xa3, &Any),
    Around(0xa4, &NAME),
    Tagged(
        0xa5,
        &Fields(&[
            optional("nameAssigner", Around(0xa0, &Any)),
            field("partyName", Around(0xa1, &Any)),
        ]),
    ),
    Tagged(0x86, &IA5),
    Tagged(0x87, &OCTETS),
    Tagged(0x88, &OID),
]);

pub(super) const DIRECTORY_ATTRIBUTES: Shape =
    Several(&Fields(&[field("type", OID), field("values", Set(&Any))]));
pub(super) const BASIC_CONSTRAINTS: Shape = Fields(&[
    or_else("cA", BOOLEAN, &[0]),
    optional("pathLenConstraint", INTEGER),
]);
pub(super) const NAME_CONSTRAINTS: Shape = SomeOf(&[
    optional("permittedSubtrees", Tagged(0xa0, &SUBTREES)),
    optional("excludedSubtrees", Tagged(0xa1, &SUBTREES)),
]);
const SUBTREES: Shape = Several(&Fields(&[
    field("base", GENERAL_NAME),
    or_else("minimum", Tagged(0x80, &INTEGER), &[0]),
    optional("maximum", Tagged(0x81, &INTEGER)),
]));
pub(super) const POLICY_CONSTRAINTS: Shape = SomeOf(&[
    optional("requireExplicitPolicy", Tagged(0x80, &INTEGER)),
    optional("inhibitPolicyMapping", Tagged(0x81, &INTEGER)),
]);
pub(super) const PURPOSES: Shape = Several(&OID);
pub(super) const DISTRIBUTION_POINTS: Shape = Several(&SomeOf(&[
    DISTRIBUTION_POINT,
    optional("reasons", Tagged(0x81, &NamedBits)),
    optional("cRLIssuer", Tagged(0xa2, &GENERAL_NAMES)),
]));
const DISTRIBUTION_POINT: Field = optional(
    "distributionPoint",
    Around(
        0xa0,
        &Choice(&[Tagged(0xa0, &GENERAL_NAMES), Tagged(0xa1, &RELATIVE_NAME)]),
    ),
);
pub(super) const ACCESS: Shape = Several(&Fields(&[
    field("accessMethod", OID),
    field("accessLocation", GENERAL_NAME),
]));
pub(super) const TLS_FEATURES: Shape = Several(&INTEGER);
pub(super) const ISSUING_DISTRIBUTION_POINT: Shape = SomeOf(&[
    DISTRIBUTION_POINT,
    or_else("onlyContainsUserCerts", Tagged(0x81, &BOOLEAN), &[0]),
    or_else("onlyContainsCACerts", Tagged(0x82, &BOOLEAN), &[0]),
    optional("onlySomeReasons", Tagged(0x83, &NamedBits)),
    or_else("indirectCRL", Tagged(0x84, &BOOLEAN), &[0]),
    or_else("onlyContainsAttributeCerts", Tagged(0x85, &BOOLEAN), &[0]),
]);
