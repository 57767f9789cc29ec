//! Proves that other people's programs judge the same lists and answers as we do: `openssl verify -crl_check_all` and GnuTLS's `certtool` of
//! lists, `openssl ocsp` and `ocsptool` of answers that `openssl ocsp` signed, also with keys that may not. Without a program its tests are
//! reported as ignored.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, LeafKey, OcspResponse, Profile, Reason,
    RevocationList, VerifyOptions, crl_pem, now, utc, verify_by_hand,
};

type Case = (&'static str, &'static str, fn() -> Result<(), Failed>);

fn main() {
    let tests: [Case; 3] = [
        (
            "openssl",
            "openssl verify -crl_check_all says what we say",
            openssl_of_lists,
        ),
        (
            "certtool",
            "certtool says what we say of lists",
            certtool_of_lists,
        ),
        (
            "ocsptool",
            "openssl ocsp and ocsptool say what we say of answers",
            of_answers,
        ),
    ];
    let trials = tests
        .into_iter()
        .map(|(program, name, run)| {
            let absent = Command::new(program).arg("--version").output().is_err();
            Trial::test(name, run).with_ignored_flag(absent)
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Whether a command ends well, and what it says.
fn run(dir: &Path, command: &str) -> Result<(bool, String), Failed> {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .current_dir(dir)
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

/// A folder with an authority in it, a good leaf and a revoked one, and the lists in one file each.
struct Scene {
    dir: tempfile::TempDir,
    authority: Authority,
    good: Certificate,
    revoked: Certificate,
    lists: Vec<RevocationList>,
}

fn scene() -> Result<Scene, Failed> {
    let dir = tempfile::tempdir()?;
    let authority = Authority::create(&dir.path().join("ca"), "localhost-ca")?;
    let mut leaves = Vec::new();
    for name in ["good", "revoked"] {
        let host = format!("{name}.test").parse()?;
        let (request, key) = CertificateRequest::new("", &[host])?;
        let leaf = authority.issue(&request, &Profile::server())?;
        std::fs::write(dir.path().join(format!("{name}.pem")), leaf.chain_pem())?;
        std::fs::write(dir.path().join(format!("{name}.key")), key.to_pkcs8_pem())?;
        leaves.push(leaf);
    }
    let (revoked, good) = (leaves.pop().unwrap(), leaves.pop().unwrap());
    authority.revoke(&revoked.serial(), Reason::Superseded, now())?;
    let ders = [authority.crl(now())?, authority.root_crl(now())?];
    let pems = ders.each_ref().map(|der| crl_pem(der));
    std::fs::write(dir.path().join("both.crl"), pems.concat())?;
    std::fs::write(dir.path().join("issuing.crl"), &pems[0])?;
    let lists = RevocationList::read(pems.concat().as_bytes())?;
    Ok(Scene {
        dir,
        authority,
        good,
        revoked,
        lists,
    })
}

impl Scene {
    /// What we say, so many days later.
    fn ours(
        &self,
        leaf: &Certificate,
        lists: usize,
        answers: Vec<OcspResponse>,
        days: i64,
    ) -> bool {
        let mut options = VerifyOptions::default();
        options.at = Some(now() + days * 86_400);
        options.lists = self.lists[..lists].to_vec();
        options.answers = answers;
        let steps = verify_by_hand(leaf, &[self.authority.root()], &options);
        steps.iter().all(|step| step.ok)
    }
}

fn openssl_of_lists() -> Result<(), Failed> {
    let scene = scene()?;
    for (leaf, file, lists, list_file, days) in [
        (&scene.good, "good", 2, "both.crl", 0),
        (&scene.revoked, "revoked", 2, "both.crl", 0),
        (&scene.good, "good", 1, "issuing.crl", 0),
        (&scene.good, "good", 2, "both.crl", 8),
    ] {
        let at = now() + days * 86_400;
        let (theirs, text) = run(
            scene.dir.path(),
            &format!(
                "openssl verify -x509_strict -crl_check_all -attime {at} -CAfile ca/root.pem -untrusted {file}.pem -CRLfile {list_file} {file}.pem"
            ),
        )?;
        let ours = scene.ours(leaf, lists, Vec::new(), days);
        assert_eq!(ours, theirs, "{file} {list_file} {days}: {text}");
    }
    Ok(())
}

fn certtool_of_lists() -> Result<(), Failed> {
    let scene = scene()?;
    for (leaf, file) in [(&scene.good, "good"), (&scene.revoked, "revoked")] {
        let (theirs, text) = run(
            scene.dir.path(),
            &format!(
                "certtool --verify --load-ca-certificate ca/root.pem --load-crl both.crl --infile {file}.pem"
            ),
        )?;
        let ours = scene.ours(leaf, 2, Vec::new(), 0);
        assert_eq!(ours, theirs, "{file}: {text}");
    }
    Ok(())
}

/// Each signed by `openssl ocsp`: by the issuer itself, by whom it made its responder, by a server's key.
fn of_answers() -> Result<(), Failed> {
    let scene = scene()?;
    let dir = scene.dir.path();
    let index = |leaf: &Certificate, status: &str| {
        let when = |seconds: i64| -> String {
            let digits: String = utc(seconds).chars().filter(char::is_ascii_digit).collect();
            format!("{}Z", &digits[2..])
        };
        let revoked = match status {
            "R" => format!("{},superseded", when(now())),
            _ => String::new(),
        };
        let serial = leaf.serial().to_uppercase();
        format!(
            "{status}\t{}\t{revoked}\t{serial}\tunknown\t/CN=x\n",
            when(leaf.not_after())
        )
    };
    let table = index(&scene.good, "V") + &index(&scene.revoked, "R");
    std::fs::write(dir.join("index.txt"), table)?;
    std::fs::write(
        dir.join("responder.cnf"),
        "extendedKeyUsage = OCSPSigning\nauthorityKeyIdentifier = keyid\n",
    )?;
    std::fs::write(
        dir.join("responder.key"),
        LeafKey::generate(stampmill_local_ca::KeyKind::P256)?.to_pkcs8_pem(),
    )?;
    for command in [
        "openssl req -new -key responder.key -subj /CN=responder -out responder.csr",
        "openssl x509 -req -in responder.csr -CA ca/issuing.pem -CAkey ca/issuing.key -CAcreateserial -days 5 -extfile responder.cnf -out responder.pem",
    ] {
        let (done, text) = run(dir, command)?;
        assert!(done, "{text}");
    }
    for (leaf, file) in [(&scene.good, "good"), (&scene.revoked, "revoked")] {
        for (signer, key) in [
            ("ca/issuing.pem", "ca/issuing.key"),
            ("responder.pem", "responder.key"),
            ("good.pem", "good.key"),
        ] {
            let (made, text) = run(
                dir,
                &format!(
                    "openssl ocsp -index index.txt -CA ca/issuing.pem -issuer ca/issuing.pem -cert {file}.pem -rsigner {signer} -rkey {key} -ndays 2 -respout {file}.der -noverify -no_nonce"
                ),
            )?;
            assert!(made, "{text}");
            let answer = OcspResponse::from_der(&std::fs::read(dir.join(format!("{file}.der")))?)?;
            let (_, openssl) = run(
                dir,
                &format!(
                    "openssl ocsp -issuer ca/issuing.pem -cert {file}.pem -CAfile ca/root.pem -verify_other ca/issuing.pem -respin {file}.der -no_nonce"
                ),
            )?;
            let believed = openssl.contains("Response verify OK") && openssl.contains(": good");
            let ours = scene.ours(leaf, 0, vec![answer], 0);
            assert_eq!(ours, believed, "{file} by {signer}: {openssl}");
            let (_, gnutls) = run(
                dir,
                &format!(
                    "ocsptool --verify-response --load-trust ca/issuing.pem --load-response {file}.der"
                ),
            )?;
            let signed = gnutls.contains("Verifying OCSP Response: Success");
            let may = signer != "good.pem";
            assert_eq!(
                (signed, openssl.contains("Response verify OK")),
                (may, may),
                "{gnutls}"
            );
        }
    }
    Ok(())
}
