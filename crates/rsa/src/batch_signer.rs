//! Signing and verifying for many callers at once: [`BatchSigner`] and [`BatchVerifier`].

use std::fmt;
use std::io;
use std::sync::Arc;

use rand::rngs::SysRng;
use stampmill_modexp::{LANES, has_lanes, pow_public_many};

use crate::batch;
use crate::error::{BatchError, SignError, VerifyError};
use crate::private_key::PrivateKey;
use crate::public_key::PublicKey;
use crate::queue::{BatchLimits, Call, Queue, Refused, Work};
use crate::scheme::Scheme;

/// Signatures whose halves fill the lanes.
const FULL: usize = LANES / 2;

/// From so many signatures on, the lanes are faster than one signature after the other. Measured with keys of 2048 bits on an Intel
/// Xeon (Sapphire Rapids), microseconds a signature in batches of 1, 2, 3, 4 and 8: 168, 166, 137, 106, 104 (`benches/rsa.rs`).
const BREAK_EVEN: usize = 3;

/// At most so many signatures at once: two passes of the lanes for the halves, one for the checks.
const MOST: usize = LANES;

/// Signs for many callers.
///
/// A signature that comes alone is made at once. While the workers are busy, others gather; the next worker takes those
/// of one key size together, whatever their keys and schemes, through the processor's eight lanes. So a signature never waits
/// for company, and throughput grows with load.
///
/// At most [`BatchLimits::capacity`] signatures wait; further callers wait for a place first, in the order they came. A
/// future that is dropped is not computed; its place is free when a worker comes to it. Dropping the signer, or [`shut_down`](BatchSigner::shut_down), answers everybody.
///
/// ```
/// use std::sync::Arc;
/// use stampmill_rsa::{BatchLimits, BatchSigner, KeySize, PrivateKey, Scheme};
///
/// let key = Arc::new(PrivateKey::generate(KeySize::Bits2048)?);
/// let signer = BatchSigner::new(BatchLimits::default())?;
/// let signature = signer.sign_blocking(&key, Scheme::RS256, b"message")?;
/// assert_eq!(signature, key.sign(Scheme::RS256, b"message")?);
///
/// // In asynchronous code: `signer.sign(&key, Scheme::RS256, b"message").await?`
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BatchSigner {
    queue: Queue<Signing>,
}

/// Verifies for many callers, as [`BatchSigner`] signs.
///
/// A single verification takes a few microseconds, less than handing it to another thread and back: it pays where
/// the callers' threads are few or must not be held at all.
pub struct BatchVerifier {
    queue: Queue<Verifying>,
}

impl BatchSigner {
    /// Starts the workers.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn new(limits: BatchLimits) -> io::Result<BatchSigner> {
        let queue = Queue::new("rsa sign", limits)?;
        Ok(BatchSigner { queue })
    }

    /// A signature, without holding the thread. The message is hashed at the first poll; the rest is done by a worker.
    ///
    /// # Errors
    /// As [`PrivateKey::sign`], or [`BatchError::ShuttingDown`].
    pub async fn sign(
        &self,
        key: &Arc<PrivateKey>,
        scheme: Scheme,
        message: &[u8],
    ) -> Result<Vec<u8>, BatchError<SignError>> {
        signed(self.queue.call(signing(key, scheme, message)?).await)
    }

    /// [`sign`](BatchSigner::sign), unless the queue is full. The place is taken when this returns.
    ///
    /// # Errors
    /// [`BatchError::Full`] at once; the others when the future is ready.
    pub fn try_sign(
        &self,
        key: &Arc<PrivateKey>,
        scheme: Scheme,
        message: &[u8],
    ) -> Result<
        impl Future<Output = Result<Vec<u8>, BatchError<SignError>>> + Send + use<'_>,
        BatchError<SignError>,
    > {
        let call: Call<'_, Signing> = self.queue.try_call(signing(key, scheme, message)?)?;
        Ok(async move { signed(call.await) })
    }

    /// A signature. If nobody waits it is made on this thread, as [`PrivateKey::sign`] makes it.
    ///
    /// # Errors
    /// As [`sign`](BatchSigner::sign).
    pub fn sign_blocking(
        &self,
        key: &Arc<PrivateKey>,
        scheme: Scheme,
        message: &[u8],
    ) -> Result<Vec<u8>, BatchError<SignError>> {
        signed(self.queue.call_blocking(signing(key, scheme, message)?))
    }

    /// How many signatures wait in the queue, at most [`BatchLimits::capacity`].
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// How many callers wait for a place in the queue.
    pub fn in_line(&self) -> usize {
        self.queue.in_line()
    }

    /// Answers everybody who waits with [`BatchError::ShuttingDown`], finishes what is being computed by the workers, and ends them.
    pub fn shut_down(&self) {
        self.queue.shut_down();
    }
}

impl BatchVerifier {
    /// Starts the workers.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn new(limits: BatchLimits) -> io::Result<BatchVerifier> {
        let queue = Queue::new("rsa verify", limits)?;
        Ok(BatchVerifier { queue })
    }

    /// A verdict, without holding the thread.
    ///
    /// # Errors
    /// As [`PublicKey::verify`], or [`BatchError::ShuttingDown`].
    pub async fn verify(
        &self,
        key: &PublicKey,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BatchError<VerifyError>> {
        let answer = self.queue.call(verifying(key, signature)?).await;
        judged(key, scheme, message, answer)
    }

    /// A verdict. If nobody waits it is found on this thread, as [`PublicKey::verify`] finds it.
    ///
    /// # Errors
    /// As [`verify`](BatchVerifier::verify).
    pub fn verify_blocking(
        &self,
        key: &PublicKey,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BatchError<VerifyError>> {
        let answer = self.queue.call_blocking(verifying(key, signature)?);
        judged(key, scheme, message, answer)
    }

    /// How many signatures wait in the queue.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Answers everybody who waits with [`BatchError::ShuttingDown`], finishes what is being computed by the workers, and ends them.
    pub fn shut_down(&self) {
        self.queue.shut_down();
    }
}

/// The work of signing: RSASP1 of an encoded message.
struct Signing;

struct SigningJob {
    key: Arc<PrivateKey>,
    encoded: Vec<u8>,
}

impl Work for Signing {
    type Job = SigningJob;
    type Answer = Result<Vec<u8>, SignError>;

    fn size(job: &SigningJob) -> usize {
        job.key.public_key().byte_len()
    }

    /// Full lanes first: what is left over goes with the next batch, and its callers have their answers no later for it.
    fn batch_len(waiting: usize) -> usize {
        match waiting {
            _ if !has_lanes() => 1,
            0..BREAK_EVEN => 1,
            BREAK_EVEN..FULL => waiting,
            _ => (waiting - waiting % FULL).min(MOST),
        }
    }

    fn run(jobs: &[SigningJob]) -> Vec<Result<Vec<u8>, SignError>> {
        let lanes: Vec<_> = jobs.iter().map(|job| (&*job.key, &*job.encoded)).collect();
        batch::sign_encoded(&lanes, &mut SysRng)
    }
}

/// The work of verifying: RSAVP1 of a signature, which gives what it holds.
struct Verifying;

struct VerifyingJob {
    key: PublicKey,
    signature: Vec<u8>,
}

impl Work for Verifying {
    type Job = VerifyingJob;
    type Answer = Result<Vec<u8>, VerifyError>;

    fn size(job: &VerifyingJob) -> usize {
        job.key.byte_len()
    }

    fn batch_len(waiting: usize) -> usize {
        waiting.min(LANES)
    }

    fn run(jobs: &[VerifyingJob]) -> Vec<Result<Vec<u8>, VerifyError>> {
        let powers: Vec<_> = jobs.iter().map(|job| job.key.job(&job.signature)).collect();
        let contents = pow_public_many(&powers).into_iter();
        contents
            .map(|content| content.map_err(|_| VerifyError::OutOfRange))
            .collect()
    }
}

/// Hashing and padding are done by the caller: a long message holds up nobody else.
fn signing(
    key: &Arc<PrivateKey>,
    scheme: Scheme,
    message: &[u8],
) -> Result<SigningJob, BatchError<SignError>> {
    let encoded = key.encode(scheme, message, &mut SysRng);
    Ok(SigningJob {
        key: Arc::clone(key),
        encoded: encoded.map_err(BatchError::Job)?,
    })
}

fn signed(
    answer: Result<Result<Vec<u8>, SignError>, Refused>,
) -> Result<Vec<u8>, BatchError<SignError>> {
    answer?.map_err(BatchError::Job)
}

fn verifying(key: &PublicKey, signature: &[u8]) -> Result<VerifyingJob, BatchError<VerifyError>> {
    key.check_length(signature).map_err(BatchError::Job)?;
    Ok(VerifyingJob {
        key: key.clone(),
        signature: signature.to_vec(),
    })
}

fn judged(
    key: &PublicKey,
    scheme: Scheme,
    message: &[u8],
    answer: Result<Result<Vec<u8>, VerifyError>, Refused>,
) -> Result<(), BatchError<VerifyError>> {
    let content = answer?.map_err(BatchError::Job)?;
    key.judge(scheme, message, &content)
        .map_err(BatchError::Job)
}

impl<E> From<Refused> for BatchError<E> {
    fn from(refused: Refused) -> BatchError<E> {
        match refused {
            Refused::ShuttingDown => BatchError::ShuttingDown,
            Refused::Full => BatchError::Full,
            Refused::Panicked => BatchError::Panicked,
        }
    }
}

impl fmt::Debug for BatchSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchSigner")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BatchVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchVerifier")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
