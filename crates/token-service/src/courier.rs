//! Carries forms to addresses that clients registered, through the one door such connections go (crates/outbound): allowed
//! networks only, resolved once, no redirects, limits of time and size.

use std::future::Future;
use std::pin::Pin;

use openssl::x509::X509;
use stampmill_outbound::{Networks, Outbound, OutboundError, Trust};
use zeroize::Zeroizing;

use crate::protocol::Courier;

/// The real one.
pub(crate) struct OutboundCourier(Outbound);

impl OutboundCourier {
    /// To these networks, believing this machine's authorities and our own.
    pub(crate) fn new(networks: Networks, authority: X509) -> OutboundCourier {
        // Plain http is registered for this machine's own names alone, and reached only where `networks` has it.
        let outbound = Outbound::new(networks).with_plain_http();
        OutboundCourier(outbound.with_trust(Trust::system().with(authority)))
    }
}

impl Courier for OutboundCourier {
    fn post(
        &self,
        uri: String,
        form: Zeroizing<String>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + '_>> {
        Box::pin(async move {
            let body = form.as_bytes().to_vec();
            let posted = self
                .0
                .post(&uri, "application/x-www-form-urlencoded", body)
                .await;
            match posted {
                Ok(answer) => Ok(answer.status.as_u16()),
                // Nobody follows it, and another try would be told the same.
                Err(OutboundError::Redirected { status }) => Ok(status.as_u16()),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}
