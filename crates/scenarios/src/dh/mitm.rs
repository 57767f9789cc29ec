//! `dh_mitm`: Mallory agrees with both sides, reads and changes; then both sign what they saw, and she cannot.

use anyhow::Context;
use openssl::pkey::{PKey, Private, Public};
use openssl::rand::rand_bytes;
use openssl::sign::{Signer, Verifier};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use rand::rngs::SysRng;
use stampmill_dh::{Authenticator, Group, KeyPair, PublicValue, Role, SharedSecret};

use crate::stage::Stage;

const MESSAGE: &str = "pay 10 to the bookshop";
const CHANGED: &str = "pay 10000 to mallory";

pub(crate) fn mitm(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    without_signatures(stage)?;
    with_signatures(stage)
}

fn without_signatures(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("Without signatures: Alice - Mallory - Bob");
    let group = Group::ffdhe2048();
    let [alice, mallory, bob] = [generate(group)?, generate(group)?, generate(group)?];
    stage.note("Alice sends A; Mallory keeps it and sends her own M to Bob. Bob sends B; Alice gets M as well.");
    stage.compute("A, which Bob never sees", &[], alice.public());
    stage.compute("M, which both take for the other's", &[], mallory.public());
    stage.compute("B, which Alice never sees", &[], bob.public());

    let m = received(group, mallory.public())?;
    let (alices, bobs) = (key(&alice.agree(&m)?)?, key(&bob.agree(&m)?)?);
    let with_alice = key(&mallory.agree(&received(group, alice.public())?)?)?;
    let with_bob = key(&mallory.agree(&received(group, bob.public())?)?)?;
    stage.check("Alice's key is not Bob's", true, alices != bobs);
    stage.check("Mallory has Alice's key", true, with_alice == alices);
    stage.check("Mallory has Bob's key", true, with_bob == bobs);

    let sent = seal(&alices, MESSAGE)?;
    stage.compute("AES-256-GCM: what Alice encrypts", &[], MESSAGE);
    let read = open(&with_alice, &sent)?;
    stage.check("Mallory reads", MESSAGE, &read);
    let delivered = open(&bobs, &seal(&with_bob, CHANGED)?)?;
    stage.check("Bob decrypts", CHANGED, &delivered);
    if read == MESSAGE && delivered == CHANGED {
        stage.succeeded("Mallory read the message and changed it; neither side noticed");
    }
    stage.note(
        "Nothing is wrong with the arithmetic or the cipher. The exchange says that one agrees with somebody; it does not \
         say with whom.",
    );
    Ok(())
}

fn with_signatures(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("With signatures: each signs its role, both names and both public values");
    stage.note(
        "Alice and Bob know each other's Ed25519 keys; between strangers a certificate says whose key it is \
         (docs/04-certificate-authority.md). Mallory has a key too, just not theirs.",
    );
    let group = Group::ffdhe2048();
    let [alice_key, mallory_key, bob_key] = [
        PKey::generate_ed25519()?,
        PKey::generate_ed25519()?,
        PKey::generate_ed25519()?,
    ];
    let alice_signer = Signatures::new("alice", &alice_key, "bob", &bob_key)?;
    let bob_signer = Signatures::new("bob", &bob_key, "alice", &alice_key)?;

    let [alice, mallory, bob] = [generate(group)?, generate(group)?, generate(group)?];
    let (a, b) = (
        received(group, alice.public())?,
        received(group, bob.public())?,
    );
    let from_bob = bob.sign_exchange(Role::Responder, &a, &bob_signer)?;
    let from_alice = alice.sign_exchange(Role::Initiator, &b, &alice_signer)?;
    let alices = alice.agree_authenticated(Role::Initiator, &b, &from_bob, &alice_signer)?;
    let bobs = bob.agree_authenticated(Role::Responder, &a, &from_alice, &bob_signer)?;
    stage.check(
        "undisturbed, Alice and Bob have the same key",
        true,
        key(&alices)? == key(&bobs)?,
    );

    stage.heading("Mallory tries again");
    let m = received(group, mallory.public())?;
    // Bob believes that M is Alice's, and signs what he saw.
    let from_bob = bob.sign_exchange(Role::Responder, &m, &bob_signer)?;
    let as_bob = Signatures::new("bob", &mallory_key, "alice", &alice_key)?;
    let as_alice = Signatures::new("alice", &mallory_key, "bob", &bob_key)?;
    let forged_for_alice = mallory.sign_exchange(Role::Responder, &a, &as_bob)?;
    let forged_for_bob = mallory.sign_exchange(Role::Initiator, &b, &as_alice)?;

    let to_alice = |peer: &PublicValue, signature: &[u8]| {
        refusal(alice.agree_authenticated(Role::Initiator, peer, signature, &alice_signer))
    };
    let to_bob = |peer: &PublicValue, signature: &[u8]| {
        refusal(bob.agree_authenticated(Role::Responder, peer, signature, &bob_signer))
    };
    let attempts = [
        (
            "her M to Alice, under Bob's own signature",
            to_alice(&m, &from_bob),
        ),
        (
            "her M to Alice, signed with her own key as bob",
            to_alice(&m, &forged_for_alice),
        ),
        (
            "her M to Bob, signed with her own key as alice",
            to_bob(&m, &forged_for_bob),
        ),
        (
            "her M to Bob, under the signature Alice gave earlier",
            to_bob(&m, &from_alice),
        ),
        (
            "Alice's own signature back to Alice",
            to_alice(&b, &from_alice),
        ),
    ];
    for (attempt, refused) in attempts {
        let attempt = format!("Mallory sends {attempt}");
        match refused {
            Some(by) => {
                stage.blocked(&attempt, by, "SIGMA (Krawczyk, CRYPTO 2003)");
            }
            None => {
                stage.succeeded(&attempt);
                stage.check("refused", true, false);
            }
        }
    }
    stage.note("No key was agreed in any of these: the signature is checked first, and only then the secret computed.");
    Ok(())
}

fn generate(group: Group) -> anyhow::Result<KeyPair> {
    Ok(KeyPair::generate(group, &mut SysRng)?)
}

/// What travels is bytes; reading them is where the group's checks are.
fn received(group: Group, value: &PublicValue) -> anyhow::Result<PublicValue> {
    Ok(group.parse_public(value.as_bytes())?)
}

fn key(secret: &SharedSecret) -> anyhow::Result<Vec<u8>> {
    Ok(secret
        .hkdf_sha256(&[], b"dh_mitm aes-256-gcm", 32)?
        .to_vec())
}

/// Why an exchange was refused, if it was.
fn refusal<E: std::fmt::Display>(
    result: Result<SharedSecret, stampmill_dh::AuthenticationError<E>>,
) -> Option<String> {
    result.err().map(|error| error.to_string())
}

struct Sealed {
    nonce: [u8; 12],
    tag: [u8; 16],
    ciphertext: Vec<u8>,
}

fn seal(key: &[u8], message: &str) -> anyhow::Result<Sealed> {
    let (mut nonce, mut tag) = ([0; 12], [0; 16]);
    rand_bytes(&mut nonce)?;
    let cipher = Cipher::aes_256_gcm();
    let ciphertext = encrypt_aead(cipher, key, Some(&nonce), &[], message.as_bytes(), &mut tag)?;
    Ok(Sealed {
        nonce,
        tag,
        ciphertext,
    })
}

fn open(key: &[u8], sealed: &Sealed) -> anyhow::Result<String> {
    let cipher = Cipher::aes_256_gcm();
    let message = decrypt_aead(
        cipher,
        key,
        Some(&sealed.nonce),
        &[],
        &sealed.ciphertext,
        &sealed.tag,
    );
    String::from_utf8(message.context("the key does not open the message")?)
        .context("the message is not text")
}

/// Signs with one's own Ed25519 key and trusts one key for the peer.
struct Signatures {
    own_name: &'static str,
    own: PKey<Private>,
    peer_name: &'static str,
    peer: PKey<Public>,
}

impl Signatures {
    fn new(
        own_name: &'static str,
        own: &PKey<Private>,
        peer_name: &'static str,
        peer: &PKey<Private>,
    ) -> anyhow::Result<Signatures> {
        let peer = PKey::public_key_from_raw_bytes(&peer.raw_public_key()?, peer.id())?;
        Ok(Signatures {
            own_name,
            own: own.clone(),
            peer_name,
            peer,
        })
    }
}

impl Authenticator for Signatures {
    type Error = anyhow::Error;

    fn own_name(&self) -> &str {
        self.own_name
    }

    fn peer_name(&self) -> &str {
        self.peer_name
    }

    fn sign(&self, transcript: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut signer = Signer::new_without_digest(&self.own)?;
        Ok(signer.sign_oneshot_to_vec(transcript)?)
    }

    fn verify_peer(&self, transcript: &[u8], signature: &[u8]) -> anyhow::Result<()> {
        let mut verifier = Verifier::new_without_digest(&self.peer)?;
        let holds = verifier.verify_oneshot(signature, transcript)?;
        anyhow::ensure!(holds, "not {}'s", self.peer_name);
        Ok(())
    }
}
