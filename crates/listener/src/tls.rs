//! TLS with the certificate of the moment.

use std::fmt;
use std::io;
use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Private};
use openssl::ssl::{
    AlpnError, Ssl, SslAcceptor, SslAcceptorBuilder, SslContext, SslMethod, SslVersion,
    select_next_proto,
};
use openssl::x509::{X509, X509Ref};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::door::{Door, Protocol};

/// TLS 1.2 and 1.3 with Mozilla's intermediate ciphers; HTTP/2 or HTTP/1.1 by ALPN; the leaf and those behind it.
///
/// # Errors
/// OpenSSL's; also when the key is not the leaf's.
pub fn acceptor<'a>(
    leaf: &X509Ref,
    behind: impl IntoIterator<Item = &'a X509>,
    key: &PKeyRef<Private>,
) -> Result<SslAcceptorBuilder, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_certificate(leaf)?;
    for intermediate in behind {
        builder.add_extra_chain_cert(intermediate.clone())?;
    }
    builder.set_private_key(key)?;
    builder.check_private_key()?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    Ok(builder)
}

/// TLS. Each handshake asks for the context of its moment, so the certificate can be another one while connections stand.
#[derive(Clone)]
pub struct Tls<C>(C);

impl<C: Fn() -> SslContext> Tls<C> {
    /// With what gives the context: cheap, since it is asked for every connection.
    pub fn new(context: C) -> Tls<C> {
        Tls(context)
    }
}

impl<C> fmt::Debug for Tls<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl<C: Fn() -> SslContext + Clone + Send + Sync + 'static> Door for Tls<C> {
    type Stream = SslStream<TcpStream>;

    async fn enter(&self, stream: TcpStream) -> io::Result<(Self::Stream, Protocol)> {
        let context = (self.0)();
        let mut stream = SslStream::new(Ssl::new(&context)?, stream)?;
        let shaken = Pin::new(&mut stream).accept().await;
        shaken.map_err(io::Error::other)?;
        let protocol = match stream.ssl().selected_alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((stream, protocol))
    }
}
