//! Proves that the `openssl` program accepts what we make and that we accept what it makes, as the post's commands make it.
//! Without the program the tests are reported as ignored.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use stampmill_local_ca::{Authority, CertificateRequest, Profile};

type Case = (&'static str, fn() -> Result<(), Failed>);

fn main() {
    let absent = Command::new("openssl").arg("version").output().is_err();
    let tests: [Case; 3] = [
        (
            "openssl verifies our leaf under strict rules",
            verifies_ours,
        ),
        ("a request by openssl req is signed", signs_theirs),
        (
            "a request for CA:TRUE by openssl req is refused",
            refuses_theirs,
        ),
    ];
    let trials = tests
        .into_iter()
        .map(|(name, run)| Trial::test(name, run).with_ignored_flag(absent))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Runs `openssl ARGUMENTS` in `dir`: standard output, or the error as a failure.
fn openssl(dir: &Path, arguments: &str) -> Result<String, Failed> {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(dir)
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{arguments}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn verifies_ours() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let authority = Authority::create(dir.path(), "localhost-ca")?;
    let (request, _) =
        CertificateRequest::new("localhost", &["localhost".parse()?, "::1".parse()?])?;
    std::fs::write(dir.path().join("leaf.csr"), request.to_pem())?;
    openssl(dir.path(), "req -in leaf.csr -noout -verify")?;
    let leaf = authority.issue(&request, &Profile::server())?;
    std::fs::write(dir.path().join("leaf.pem"), leaf.chain_pem())?;
    let verify = "verify -x509_strict -purpose sslserver -CAfile root.pem -untrusted issuing.pem";
    for arguments in ["", "-verify_hostname localhost", "-verify_ip ::1"] {
        let verdict = openssl(dir.path(), &format!("{verify} {arguments} leaf.pem"))?;
        assert_eq!(verdict.trim(), "leaf.pem: OK");
    }
    openssl(
        dir.path(),
        &format!("{verify} -verify_hostname other.test leaf.pem"),
    )
    .expect_err("another host is refused");
    openssl(
        dir.path(),
        "verify -x509_strict -purpose sslclient -CAfile root.pem -untrusted issuing.pem leaf.pem",
    )
    .expect_err("a server's certificate is no client's");
    Ok(())
}

fn signs_theirs() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let config = "[req]\nprompt = no\ndistinguished_name = dn\nreq_extensions = san\n\
        [dn]\nC = AU\nO = Example\nCN = localhost\n[san]\nsubjectAltName = @names\n[names]\nDNS.0 = localhost\nIP.0 = 127.0.0.1\n";
    std::fs::write(dir.path().join("csr.conf"), config)?;
    openssl(
        dir.path(),
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out leaf.key",
    )?;
    openssl(
        dir.path(),
        "req -new -key leaf.key -out leaf.csr -config csr.conf",
    )?;
    let request = CertificateRequest::from_pem(&std::fs::read(dir.path().join("leaf.csr"))?)?;
    assert_eq!(request.common_name(), Some("localhost"));
    assert_eq!(request.names().len(), 2);
    let authority = Authority::create(&dir.path().join("ca"), "localhost-ca")?;
    let leaf = authority.issue(&request, &Profile::server().days(30))?;
    std::fs::write(dir.path().join("leaf.pem"), leaf.pem())?;
    openssl(
        dir.path(),
        "verify -x509_strict -CAfile ca/root.pem -untrusted ca/issuing.pem leaf.pem",
    )?;
    Ok(())
}

fn refuses_theirs() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    openssl(
        dir.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out r.csr -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:TRUE",
    )?;
    let request = CertificateRequest::from_pem(&std::fs::read(dir.path().join("r.csr"))?)?;
    let authority = Authority::create(&dir.path().join("ca"), "localhost-ca")?;
    match authority.issue(&request, &Profile::server()) {
        Err(error) if error.to_string().contains("basicConstraints CA:TRUE") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
