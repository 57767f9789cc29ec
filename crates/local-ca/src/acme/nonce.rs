//! Nonces (RFC 8555 §6.5): each good for one request, from us, and remembered in sixteen kilobytes whatever happens.
//!
//! A nonce is a counter and a MAC over it. So the server keeps none of those it gave out, and a bit for each of the last 131,072 that
//! came back: a client that asks for nonces all day fills nothing. One older than that window is refused as if it had been used.

use std::sync::{Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::memcmp;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::sign::Signer;
use stampmill_jose::base64url;

/// How many of the last nonces are good; a multiple of 64.
const WINDOW: usize = 1 << 17;
const COUNTER_BYTES: usize = 8;
const MAC_BYTES: usize = 16;

/// The nonces of one server process. Another process, or the next one, knows none of them: clients try again (§6.5).
pub(crate) struct Nonces {
    key: PKey<Private>,
    window: Mutex<Window>,
}

struct Window {
    next: u64,
    /// A bit for each of the last [`WINDOW`] counters: it came back.
    used: Vec<u64>,
}

impl Nonces {
    pub(crate) fn new() -> Result<Self, ErrorStack> {
        let mut key = [0; 32];
        rand_bytes(&mut key)?;
        Ok(Self {
            key: PKey::hmac(&key)?,
            window: Mutex::new(Window {
                next: 0,
                used: vec![0; WINDOW / 64],
            }),
        })
    }

    /// A fresh one.
    pub(crate) fn issue(&self) -> Result<String, ErrorStack> {
        let counter = self.lock().take();
        let mut nonce = counter.to_be_bytes().to_vec();
        nonce.extend(self.mac(counter)?);
        Ok(base64url::encode(nonce))
    }

    /// Whether it is ours and has not come back before. It has now.
    pub(crate) fn redeem(&self, nonce: &str) -> bool {
        let Ok(bytes) = base64url::decode(nonce) else {
            return false;
        };
        let Some((counter, mac)) = bytes.split_first_chunk::<COUNTER_BYTES>() else {
            return false;
        };
        let counter = u64::from_be_bytes(*counter);
        let ours = self
            .mac(counter)
            .is_ok_and(|expected| expected.len() == mac.len() && memcmp::eq(&expected, mac));
        ours && self.lock().spend(counter)
    }

    fn mac(&self, counter: u64) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(openssl::hash::MessageDigest::sha256(), &self.key)?;
        let mut mac = signer.sign_oneshot_to_vec(&counter.to_be_bytes())?;
        mac.truncate(MAC_BYTES);
        Ok(mac)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn take(&mut self) -> u64 {
        let counter = self.next;
        self.next += 1;
        // The place belonged to a counter that leaves the window now.
        let (word, bit) = place(counter);
        self.used[word] &= !bit;
        counter
    }

    fn spend(&mut self, counter: u64) -> bool {
        let in_window = counter < self.next && self.next - counter <= WINDOW as u64;
        let (word, bit) = place(counter);
        let fresh = in_window && self.used[word] & bit == 0;
        if fresh {
            self.used[word] |= bit;
        }
        fresh
    }
}

fn place(counter: u64) -> (usize, u64) {
    let index = counter % WINDOW as u64;
    let word = usize::try_from(index / 64).expect("smaller than the window");
    (word, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_here_and_nowhere_else() {
        let (nonces, others) = (Nonces::new().unwrap(), Nonces::new().unwrap());
        let (one, two) = (nonces.issue().unwrap(), nonces.issue().unwrap());
        assert_ne!(one, two);
        assert!(!others.redeem(&one), "another process's");
        assert!(nonces.redeem(&two) && nonces.redeem(&one), "in any order");
        assert!(
            !nonces.redeem(&one) && !nonces.redeem(&two),
            "a second time"
        );
        for bad in [
            "",
            "AA",
            "zzzz",
            &one[..20],
            &format!("{one}A"),
            &format!("{one}="),
        ] {
            assert!(!nonces.redeem(bad), "{bad}");
        }
    }

    #[test]
    fn nobody_else_makes_one() {
        let (nonces, others) = (Nonces::new().unwrap(), Nonces::new().unwrap());
        let fresh = nonces.issue().unwrap();
        // their counters are in our window as well
        let foreign: Vec<String> = (0..9).map(|_| others.issue().unwrap()).collect();
        assert!(foreign.iter().all(|nonce| !nonces.redeem(nonce)));
        let bytes = base64url::decode(&fresh).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(!nonces.redeem(&base64url::encode(&changed)), "{place}");
            assert!(
                !nonces.redeem(&base64url::encode(&bytes[..place])),
                "{place}"
            );
        }
        assert!(nonces.redeem(&fresh), "none of that has spent it");
    }

    #[test]
    fn the_window_moves_and_old_nonces_are_refused() {
        let nonces = Nonces::new().unwrap();
        let (old, spent) = (nonces.issue().unwrap(), nonces.issue().unwrap());
        assert!(nonces.redeem(&spent));
        for _ in 0..WINDOW - 2 {
            nonces.lock().take();
        }
        assert!(nonces.redeem(&old), "the last moment");
        let next = nonces.issue().unwrap();
        assert!(!nonces.redeem(&old) && !nonces.redeem(&spent));
        // the place of `old`, which had been used
        assert!(nonces.redeem(&next));
    }
}
