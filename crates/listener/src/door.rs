//! What a connection goes through before HTTP.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, and 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// What a connection goes through before HTTP.
pub trait Door: Clone + Send + Sync + 'static {
    /// What is behind it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Lets a connection in, and says what is spoken on it.
    fn enter(
        &self,
        stream: TcpStream,
    ) -> impl Future<Output = io::Result<(Self::Stream, Protocol)>> + Send;
}

/// No door: for a proxy on the same machine, and for what is signed and for everybody.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Door for Plain {
    type Stream = TcpStream;

    async fn enter(&self, stream: TcpStream) -> io::Result<(TcpStream, Protocol)> {
        Ok((stream, Protocol::Http1))
    }
}
