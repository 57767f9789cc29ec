//! The tour: everything once, for real, in seconds. Each stop is a few lines computed then and there through the crates,
//! and names the example that goes deeper.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use openssl::nid::Nid;
use rand::rngs::SysRng;
use stampmill_claim_check::{ClaimCheck, Context};
use stampmill_dh::{Group, KeyPair};
use stampmill_jose::base64url;
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, Profile, VerifyOptions, verify,
};
use stampmill_modexp::{Engine, Modulus, tutorial};
use stampmill_token_service::RunningServer;

use crate::jit;
use crate::own_service::OwnService;
use crate::stage::Stage;

/// What a stop says, a line each.
type Results = Vec<String>;

/// The claim check of the tour: is the token still good, and does it let its bearer see a profile?
const CLAIM_CHECK: &str = r#"claims.exp > now && has(claims.scope) && claims.client_id != """#;

pub(crate) fn tour(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut stops = Stops { stage, number: 0 };
    stops.stop("Diffie-Hellman", "dh_toy", diffie_hellman)?;
    stops.stop("assembly", "asm_add", assembly)?;
    stops.stop("JIT", "jit_add", just_in_time)?;
    tokio::runtime::Runtime::new()?.block_on(service(&mut stops))
}

/// The stops that need a running token service, which signs with our own RSA here.
async fn service(stops: &mut Stops<'_, '_>) -> anyhow::Result<()> {
    let own = OwnService::start().await?;
    stops.stop("CA", "ca_root_and_leaf", || {
        certificates(own.folder(), &own.server)
    })?;
    log_in(stops, &own).await?;
    own.server.shutdown().await;
    Ok(())
}

/// Numbers the stops.
struct Stops<'a, 'b> {
    stage: &'a mut Stage<'b>,
    number: usize,
}

impl Stops<'_, '_> {
    fn stop(
        &mut self,
        topic: &str,
        example: &str,
        work: impl FnOnce() -> anyhow::Result<Results>,
    ) -> anyhow::Result<()> {
        let results = work().with_context(|| format!("the tour's stop {topic:?}"))?;
        self.show(topic, example, &results);
        Ok(())
    }

    fn show(&mut self, topic: &str, example: &str, results: &[String]) {
        self.number += 1;
        self.stage.stop(self.number, topic, results, example);
    }
}

/// The post's run, then one with fresh 2048-bit keys.
fn diffie_hellman() -> anyhow::Result<Results> {
    let toy = Group::toy();
    let (alice, bob) = (
        KeyPair::from_private(toy, &[3])?,
        KeyPair::from_private(toy, &[2])?,
    );
    let (at_alice, at_bob) = (alice.agree(bob.public())?, bob.agree(alice.public())?);
    anyhow::ensure!(
        at_alice.as_bytes() == at_bob.as_bytes(),
        "the two secrets differ"
    );
    let first = format!(
        "p = 23, g = 5, a = 3, b = 2:  A = {}  B = {}  shared {} = {}",
        small(alice.public().as_bytes()),
        small(bob.public().as_bytes()),
        small(at_alice.as_bytes()),
        small(at_bob.as_bytes()),
    );

    let group = Group::ffdhe2048();
    let alice = KeyPair::generate(group, &mut SysRng)?;
    let bob = KeyPair::generate(group, &mut SysRng)?;
    let received = group.parse_public(bob.public().as_bytes())?;
    let ours = alice
        .agree(&received)?
        .hkdf_sha256(b"", b"stampmill tour", 32)?;
    let theirs = bob
        .agree(alice.public())?
        .hkdf_sha256(b"", b"stampmill tour", 32)?;
    anyhow::ensure!(ours == theirs, "the two keys differ");
    Ok(vec![
        first,
        format!(
            "{}, fresh keys: both derived the same 256-bit key",
            group.name()
        ),
    ])
}

/// The post's two routines, and one exponentiation by every engine.
fn assembly() -> anyhow::Result<Results> {
    let added = match (tutorial::return_zero(), tutorial::add_numbers(42, 58)) {
        (Some(zero), Some(sum)) => format!("Zero: {zero}, 42 + 58 = {sum}"),
        _ => "built without assembly: the Rust engine does the arithmetic".to_owned(),
    };
    Ok(vec![added, engines()?])
}

/// Times one full 2048-bit exponentiation by each engine in turn, several rounds; all must agree. The first is the unit.
fn engines() -> anyhow::Result<String> {
    const ROUNDS: usize = 7;
    let group = Group::ffdhe2048();
    let (base, exponent) = ([7], [0xa5; 256]);
    let engines = Engine::available();
    let moduli = engines
        .iter()
        .map(|engine| Modulus::with_engine(&group.p(), *engine))
        .collect::<Result<Vec<_>, _>>()?;
    let expected = moduli[0].pow(&base, &exponent)?;
    let mut best = vec![f64::INFINITY; engines.len()];
    for _ in 0..ROUNDS {
        for (modulus, best) in moduli.iter().zip(&mut best) {
            let begun = Instant::now();
            let power = modulus.pow(&base, &exponent)?;
            *best = best.min(begun.elapsed().as_secs_f64());
            anyhow::ensure!(power == expected, "engine {} differs", modulus.engine());
        }
    }
    let ratios: Vec<String> = engines
        .iter()
        .zip(&best)
        .map(|(engine, time)| format!("{engine} {:.2}", time / best[0]))
        .collect();
    Ok(format!(
        "2048-bit power, time of each engine: {}  (results equal)",
        ratios.join("  ")
    ))
}

/// The post's function, compiled while the tour runs.
fn just_in_time() -> anyhow::Result<Results> {
    let machine = match jit::Machine::host() {
        Ok(machine) => machine,
        Err(reason) => return Ok(vec![format!("no machine code on this processor: {reason}")]),
    };
    let add = jit::compile_add(&machine)?;
    let sum = add.call(7, 35);
    anyhow::ensure!(sum == 42, "7 + 35 is 42, not {sum}");
    Ok(vec![format!(
        "7 + 35 = {sum}   from {} bytes of machine code",
        add.code.bytes.len()
    )])
}

/// A certificate of an authority made for the occasion, and the one that the running server shows: OpenSSL judges both,
/// each with its root as only anchor.
fn certificates(folder: &Path, server: &RunningServer) -> anyhow::Result<Results> {
    let authority = Authority::create(&folder.join("ca"), "localhost-ca")?;
    let (request, _key) = CertificateRequest::new("localhost", &["localhost".parse()?])?;
    let leaf = authority.issue(&request, &Profile::server())?;
    let shown = Certificate::from_pem(&std::fs::read(folder.join("data/tls/certificate.pem"))?)?;
    let service_root = Certificate::from_pem(server.ca_root_pem().as_bytes())?;
    Ok(vec![
        judged("issued now", &leaf, authority.root())?,
        judged("the service's", &shown, service_root)?,
    ])
}

fn judged(what: &str, leaf: &Certificate, root: Certificate) -> anyhow::Result<String> {
    let issuer = leaf
        .as_openssl()
        .issuer_name()
        .entries_by_nid(Nid::COMMONNAME)
        .next()
        .and_then(|entry| entry.data().to_string().ok())
        .context("the issuer has a common name")?;
    let verdict = verify(
        leaf,
        &[root],
        &VerifyOptions::for_host("localhost".parse()?),
    )?;
    anyhow::ensure!(
        verdict.accepted,
        "OpenSSL refuses the certificate: {verdict}"
    );
    Ok(format!(
        "{what}: {issuer} → localhost, serial {}: {verdict}",
        leaf.serial()
    ))
}

/// A client and a person log in through the real pages; then a thief tries the code alone.
async fn log_in(stops: &mut Stops<'_, '_>, own: &OwnService) -> anyhow::Result<()> {
    // What is said on the way is for the lesson `oauth_code_pkce`; the tour tells results.
    let mut unheard = Vec::new();
    let quiet = &mut Stage::new(&mut unheard);
    let client = own.client(quiet, own.first.client_secret.expose()).await?;
    stops.show(
        "HTTPS",
        "ca_https",
        &[format!(
            "{} answers, and our root is the client's only anchor",
            own.server.issuer()
        )],
    );

    let mut person = own.person();
    let pending = client.begin("openid profile")?;
    let callback = person.log_in(quiet, &pending.authorize).await?;
    let code = client.code(&pending, &callback)?;
    let answer = client
        .redeem(quiet, &code, Some(&pending.code_verifier))
        .await?;
    let tokens = answer.json()?;
    let (id_token, access_token) = (text(&tokens, "id_token")?, text(&tokens, "access_token")?);
    let keys = client.keys(quiet).await?;
    let now = jiff::Timestamp::now().as_second();
    let id_token = client.verify_id_token(&keys, &pending, id_token, now)?;
    let subject = id_token
        .claim_str("sub")
        .context("an ID token names its subject")?;
    let me = client.call(quiet, "/api/me", Some(access_token)).await?;
    anyhow::ensure!(me.status == 200, "the API answered {}", me.status);
    stops.show(
        "OAuth",
        "oauth_code_pkce",
        &[
            format!(
                "{} signed in, code + PKCE → ID token for {subject}: verified",
                own.first.username
            ),
            "GET /api/me with the access token: 200".to_owned(),
        ],
    );
    stops.stop("claim check", "jit_claim_check", || {
        claim_check(access_token, now)
    })?;

    let pending = client.begin("openid")?;
    let callback = person.log_in(quiet, &pending.authorize).await?;
    let stolen = client.code(&pending, &callback)?;
    let refused = client.redeem(quiet, &stolen, None).await?;
    let error = refused.json()?;
    anyhow::ensure!(
        refused.status == 400 && error["error"] == "invalid_grant",
        "a stolen code was not refused: {}",
        refused.status
    );
    stops.show(
        "attack",
        "oauth_code_pkce",
        &["a stolen code without its verifier: BLOCKED, invalid_grant (RFC 7636 §4.6)".to_owned()],
    );
    Ok(())
}

/// The tour's claim check on the very token that the API accepted.
fn claim_check(access_token: &str, now: i64) -> anyhow::Result<Results> {
    let payload = access_token
        .split('.')
        .nth(1)
        .context("a token has three parts")?;
    let payload = base64url::decode(payload)?;
    let check = ClaimCheck::compile(CLAIM_CHECK)?;
    let context = Context { now };
    let (compiled, interpreted) = (
        check.evaluate(&payload, &context)?,
        check.interpret(&payload, &context)?,
    );
    anyhow::ensure!(
        compiled == interpreted,
        "machine code and interpreter differ"
    );
    Ok(vec![
        format!("{CLAIM_CHECK}"),
        format!(
            "= {compiled}   (by {}; the interpreter agrees)",
            check.engine()
        ),
    ])
}

fn text<'a>(object: &'a serde_json::Value, name: &str) -> anyhow::Result<&'a str> {
    object[name]
        .as_str()
        .with_context(|| format!("the answer has no {name}"))
}

/// The number of a toy-sized value.
fn small(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
