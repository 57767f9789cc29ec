//! Clients that are libraries: acme-client of npm, instant-acme of crates.io.

use std::path::{Path, PathBuf};

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier, NewAccount,
    NewOrder, OrderStatus, RetryPolicy, RevocationReason, RevocationRequest,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::scene::{Issued, Scene, expect};

pub(crate) fn node_project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node-acme")
}

/// tls-alpn-01; between issuing and renewing the account gets another key, and the one before is good for nothing.
pub(crate) fn acme_client() -> Result<(), String> {
    let scene = Scene::new()?;
    let script = node_project().join("client.mjs").display().to_string();
    let node = |verb: &str| {
        let mut command = scene.command("node", "");
        let port = scene.tls_port.to_string();
        command
            .args([&script, verb, &scene.directory, &port, "a.localhost"])
            .env("NODE_EXTRA_CA_CERTS", scene.root());
        scene.finish(command)
    };
    node("issue")?;
    let first = scene.issued("leaf.pem", "leaf.pem", "a.localhost")?;
    let account = |name: &str| std::fs::read(scene.path(name)).map_err(|e| e.to_string());
    let before = account("account.json")?;
    node("change-key")?;
    node("issue")?;
    let second = scene.renewed(&first, "leaf.pem", "leaf.pem", "a.localhost")?;

    let after = account("account.json")?;
    let restore = |account: &[u8]| {
        std::fs::write(scene.path("account.json"), account).map_err(|error| error.to_string())
    };
    restore(&before)?;
    match node("revoke") {
        Err(said) => expect(&said, "signature")?,
        Ok(_) => return Err("the account's old key still signs".to_owned()),
    }
    scene.good(&second)?;
    restore(&after)?;
    node("revoke")?;
    scene.revoked(&second, "superseded")?;
    scene.good(&first)
}

/// http-01 for a name and addresses of both kinds; the renewal says which certificate it replaces (RFC 9773 §5), and no other may.
pub(crate) fn instant_acme() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime
        .block_on(instant_acme_run())
        .map_err(|error| error.to_string())
}

type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;

async fn instant_acme_run() -> Anyhow<()> {
    let scene = Scene::new()?;
    let new = NewAccount {
        contact: &["mailto:a@example.test"],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_root(scene.root())?;
    let (account, _) = builder.create(&new, scene.directory.clone(), None).await?;
    let names = [
        Identifier::Dns("a.localhost".to_owned()),
        Identifier::Ip("127.0.0.1".parse()?),
    ];
    let first = take(&scene, &account, &NewOrder::new(&names), "first.pem").await?;

    let der = CertificateDer::from_pem_file(scene.path("first.pem"))?;
    let id = CertificateIdentifier::try_from(&der)?.into_owned();
    let (window, _) = account.renewal_info(&id).await?;
    if window.suggested_window.start >= window.suggested_window.end {
        return Err("the renewal window is empty".into());
    }
    let renewal = NewOrder::new(&names).replaces(id);
    let second = take(&scene, &account, &renewal, "second.pem").await?;
    if first == second {
        return Err("the renewal gave the same certificate".into());
    }
    match account.new_order(&renewal).await {
        Err(error) => expect(&error.to_string(), "alreadyReplaced")?,
        Ok(_) => return Err("replaced twice".into()),
    }

    let der = CertificateDer::from_pem_file(scene.path("second.pem"))?;
    let request = RevocationRequest {
        certificate: &der,
        reason: Some(RevocationReason::AffiliationChanged),
    };
    account.revoke(&request).await?;
    scene.revoked(&second, "affiliationChanged")?;
    Ok(scene.good(&first)?)
}

/// An order from its proofs to its certificate; key and request are OpenSSL's.
async fn take(
    scene: &Scene,
    account: &Account,
    wanted: &NewOrder<'_>,
    file: &str,
) -> Anyhow<Issued> {
    let mut order = account.new_order(wanted).await?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let challenge = authorization.challenge(ChallengeType::Http01);
        let mut challenge = challenge.ok_or("no http-01")?;
        let (token, proof) = (challenge.token.clone(), challenge.key_authorization());
        scene.write(&format!("web/{token}"), proof.as_str())?;
        challenge.set_ready().await?;
    }
    let status = order.poll_ready(&RetryPolicy::default()).await?;
    if status != OrderStatus::Ready {
        return Err(format!("the order is {status:?}").into());
    }
    scene.run(
        "openssl",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.csr -outform DER -subj / \
         -addext subjectAltName=DNS:a.localhost,IP:127.0.0.1",
    )?;
    order
        .finalize_csr(&std::fs::read(scene.path("a.csr"))?)
        .await?;
    let chain = order.poll_certificate(&RetryPolicy::default()).await?;
    scene.write(file, &chain)?;
    Ok(scene.issued(file, file, "a.localhost 127.0.0.1")?)
}
