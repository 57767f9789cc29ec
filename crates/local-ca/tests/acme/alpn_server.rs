//! A server with the certificate of RFC 8737 §3 and RFC 8738 §6, made by OpenSSL.

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::hash::MessageDigest;
use openssl::ssl::{AlpnError, SslAcceptor, SslMethod, SslVersion, select_next_proto};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Builder, X509Extension, X509NameBuilder};
use stampmill_local_ca::{KeyKind, LeafKey};

/// What the server shows, right unless a test changes it.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) names: Vec<String>,
    pub(crate) digest: Vec<u8>,
    pub(crate) critical: bool,
    pub(crate) identifier: bool,
    /// The digest without the octet string around it.
    pub(crate) bare: bool,
    pub(crate) self_signed: bool,
    pub(crate) protocol: &'static [u8],
    pub(crate) most: Option<SslVersion>,
}

impl Shown {
    pub(crate) fn right(name: &str, digest: &[u8]) -> Self {
        Self {
            names: vec![name.to_owned()],
            digest: digest.to_vec(),
            critical: true,
            identifier: true,
            bare: false,
            self_signed: true,
            protocol: b"\x0aacme-tls/1",
            most: None,
        }
    }

    pub(crate) fn acceptor(&self) -> SslAcceptor {
        let key = LeafKey::generate(KeyKind::P256).unwrap();
        let other = LeafKey::generate(KeyKind::P256).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        let nobody = X509NameBuilder::new().unwrap().build();
        builder.set_subject_name(&nobody).unwrap();
        builder.set_issuer_name(&nobody).unwrap();
        builder.set_pubkey(key.as_openssl()).unwrap();
        let (from, to) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(1));
        builder.set_not_before(&from.unwrap()).unwrap();
        builder.set_not_after(&to.unwrap()).unwrap();
        if !self.names.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in &self.names {
                match name.parse::<std::net::IpAddr>() {
                    Ok(_) => names.ip(name),
                    Err(_) => names.dns(name),
                };
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        if self.identifier {
            let length = u8::try_from(self.digest.len()).unwrap();
            let mut value = if self.bare {
                vec![]
            } else {
                vec![0x04, length]
            };
            value.extend(&self.digest);
            let kind = Asn1Object::from_str("1.3.6.1.5.5.7.1.31").unwrap();
            let value = Asn1OctetString::new_from_bytes(&value).unwrap();
            let identifier = X509Extension::new_from_der(&kind, self.critical, &value).unwrap();
            builder.append_extension(identifier).unwrap();
        }
        let signer = if self.self_signed { &key } else { &other };
        builder
            .sign(signer.as_openssl(), MessageDigest::sha256())
            .unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(&builder.build()).unwrap();
        acceptor.set_private_key(key.as_openssl()).unwrap();
        acceptor.set_max_proto_version(self.most).unwrap();
        let protocol = self.protocol;
        acceptor.set_alpn_select_callback(move |_, offered| {
            select_next_proto(protocol, offered).ok_or(AlpnError::NOACK)
        });
        acceptor.build()
    }
}
