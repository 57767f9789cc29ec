//! Clients that are typed: certbot, lego, acme-tiny, dehydrated, uacme. Each issues, renews and revokes.

use std::path::Path;

use serde_json::Value;

use crate::scene::{Scene, Setup, expect};
use crate::{SYSTEM_BUNDLE, venv};

/// Shows proofs as the hooks of lego, dehydrated and uacme are asked to.
fn hook() -> String {
    let judges = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges");
    judges.join("acme_hook.sh").display().to_string()
}

/// http-01 by certbot's own server, for a name and an address; a profile; and renewal when the server wants it (RFC 9773): of two
/// certificates, both young, the one that was revoked is renewed, since its window has passed, and the other is not.
pub(crate) fn certbot() -> Result<(), String> {
    let scene = Scene::with(&Setup {
        own_web: true,
        ..Setup::default()
    })?;
    let certbot = |arguments: &str| {
        let program = venv("certbot").display().to_string();
        let folders = "--non-interactive --config-dir etc --work-dir work --logs-dir log";
        let mut command = scene.command(&program, &format!("{arguments} {folders}"));
        command.env("REQUESTS_CA_BUNDLE", scene.root());
        scene.finish(command)
    };
    let issue = format!(
        "certonly --agree-tos --register-unsafely-without-email --server {} --required-profile shortlived \
         --standalone --http-01-address 127.0.0.1 --http-01-port {}",
        scene.directory, scene.http_port
    );
    let issued = |name: &str, names: &str| {
        let live = format!("etc/live/{name}");
        scene.issued(
            &format!("{live}/cert.pem"),
            &format!("{live}/chain.pem"),
            names,
        )
    };
    let (both, lonely) = ("a.localhost 127.0.0.1", "b.localhost");
    certbot(&format!("{issue} -d a.localhost --ip-address 127.0.0.1"))?;
    certbot(&format!("{issue} -d b.localhost"))?;
    let (first, other) = (issued("a.localhost", both)?, issued("b.localhost", lonely)?);
    // six days is the profile's life, ninety the default
    let week = "x509 -in etc/live/a.localhost/cert.pem -noout -checkend 604800";
    match scene.run("openssl", week) {
        Err(said) => expect(&said, "will expire")?,
        Ok(_) => return Err("the profile was not taken".to_owned()),
    }

    scene.stampmill(&format!(
        "ca revoke --ca ca {} --reason superseded",
        first.serial()
    ))?;
    scene.revoked(&first, "superseded")?;
    certbot("renew --no-random-sleep-on-renew")?;
    let second = issued("a.localhost", both)?;
    if second == first {
        return Err("certbot did not renew what was revoked".to_owned());
    }
    if issued("b.localhost", lonely)? != other {
        return Err("certbot renewed what it need not".to_owned());
    }

    certbot("revoke --cert-name a.localhost --reason keycompromise --no-delete-after-revoke")?;
    scene.revoked(&second, "keyCompromise")?;
    scene.good(&other)
}

/// External account binding (RFC 8555 §7.3.4) and tls-alpn-01 by lego's own server. Debian's lego calls an address a name of type `dns`, so
/// that there is none here.
pub(crate) fn lego() -> Result<(), String> {
    let scene = Scene::with(&Setup {
        eab_required: true,
        ..Setup::default()
    })?;
    let lego = |folder: &str, arguments: &str| {
        let options = format!(
            "--server {} --path {folder} --email a@example.test --accept-tos --tls --tls.port 127.0.0.1:{} --domains a.localhost",
            scene.directory, scene.tls_port
        );
        let mut command = scene.command("lego", &format!("{options} {arguments}"));
        command.env("LEGO_CA_CERTIFICATES", scene.root());
        scene.finish(command)
    };
    match lego("stranger", "run") {
        Err(said) => expect(&said, "requires External Account Binding")?,
        Ok(said) => return Err(format!("an account without a key: {said}")),
    }
    let key: Value = serde_json::from_str(&scene.stampmill("ca eab --ca ca --json")?)
        .map_err(|e| e.to_string())?;
    let member = |name: &str| key[name].as_str().ok_or("no key");
    let (kid, secret) = (member("kid")?, member("hmac-key")?);
    let forged = "Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2VkLWZvcmc";
    match lego("forger", &format!("--eab --kid {kid} --hmac {forged} run")) {
        Err(said) => expect(&said, "acme:error:")?,
        Ok(said) => return Err(format!("a key that was not given out: {said}")),
    }
    let key = format!("--eab --kid {kid} --hmac {secret}");
    lego("lego", &format!("{key} run"))?;
    // its flags are wanted each time, and used once
    revolve_lego(&scene, "a.localhost", &|arguments| {
        lego("lego", &format!("{key} {arguments}"))
    })
}

/// dns-01: a hook puts the record into the zone that the server asks about. Below `localhost` there are no records (RFC 6761 §6.3), hence
/// `.test`.
pub(crate) fn lego_dns() -> Result<(), String> {
    let scene = Scene::new()?;
    let lego = |arguments: &str| {
        let options = format!(
            "--server {} --path lego --email a@example.test --accept-tos --dns exec --dns.disable-cp --dns.resolvers 127.0.0.1:{} \
             --domains a.test --domains *.a.test",
            scene.directory, scene.dns_port
        );
        let mut command = scene.command("lego", &format!("{options} {arguments}"));
        command
            .env("LEGO_CA_CERTIFICATES", scene.root())
            .env("EXEC_PATH", hook())
            .env("EXEC_POLLING_INTERVAL", "1")
            .env("EXEC_SEQUENCE_INTERVAL", "1");
        scene.finish(command)
    };
    lego("run")?;
    revolve_lego(&scene, "a.test *.a.test", &lego)
}

/// From the first certificate on.
fn revolve_lego(
    scene: &Scene,
    names: &str,
    lego: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    let first_name = names.split(' ').next().unwrap_or_default();
    let leaf = format!("lego/certificates/{first_name}.crt");
    let chain = format!("lego/certificates/{first_name}.issuer.crt");
    let first = scene.issued(&leaf, &chain, names)?;
    lego("renew --days 1000 --no-random-sleep")?;
    let second = scene.renewed(&first, &leaf, &chain, names)?;
    lego("revoke --keep --reason 4")?;
    scene.revoked(&second, "superseded")?;
    scene.good(&first)
}

/// A client of two hundred lines that leaves keys and requests to OpenSSL, and proofs to a web server's folder. It only ever issues: the
/// operator revokes.
pub(crate) fn acme_tiny() -> Result<(), String> {
    let scene = Scene::new()?;
    scene.write("elsewhere/index.html", "")?;
    scene.run("openssl", "genrsa -out account.key 2048")?;
    scene.run(
        "openssl",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.csr -subj /CN=a.localhost \
         -addext subjectAltName=DNS:a.localhost,DNS:www.a.localhost",
    )?;
    let issue = |shown_in: &str, file: &str| {
        let program = venv("acme-tiny").display().to_string();
        // it would look for its own proof at port 80 first
        let arguments = format!(
            "--quiet --disable-check --account-key account.key --csr a.csr --acme-dir {shown_in} --directory-url {}",
            scene.directory
        );
        let mut command = scene.command(&program, &arguments);
        command.env("SSL_CERT_FILE", scene.root());
        scene.write(file, &scene.finish(command)?)
    };
    let names = "a.localhost www.a.localhost";
    // a folder that no server shows proves nothing
    match issue("elsewhere", "never.pem") {
        Err(said) => expect(&said, "acme:error:incorrectResponse")?,
        Ok(()) => return Err("a certificate without a proof".to_owned()),
    }
    // and the operator is told
    expect(&scene.log(), "validation failed")?;
    issue("web", "first.pem")?;
    let first = scene.issued("first.pem", "first.pem", names)?;
    issue("web", "second.pem")?;
    let second = scene.renewed(&first, "second.pem", "second.pem", names)?;
    scene.stampmill("ca revoke --ca ca second.pem --reason cessationOfOperation")?;
    scene.revoked(&second, "cessationOfOperation")?;
    scene.good(&first)
}

/// dns-01 for a wildcard, by dehydrated's hook.
pub(crate) fn dehydrated() -> Result<(), String> {
    let scene = Scene::new()?;
    scene.write(
        "config",
        &format!(
            "CA={}\nBASEDIR={}\nCURL_OPTS=\"--cacert {}\"\nCHALLENGETYPE=dns-01\nHOOK={}\nACCOUNT_KEYSIZE=2048\nKEY_ALGO=prime256v1\n",
            scene.directory,
            scene.path("").display(),
            scene.root(),
            hook()
        ),
    )?;
    scene.write("domains.txt", "*.a.test a.test > wild\n")?;
    let dehydrated = |arguments: &str| scene.run("dehydrated", &format!("-f config {arguments}"));
    let (leaf, chain, names) = (
        "certs/wild/cert.pem",
        "certs/wild/chain.pem",
        "*.a.test a.test",
    );
    dehydrated("--register --accept-terms")?;
    dehydrated("--cron")?;
    let first = scene.issued(leaf, chain, names)?;
    dehydrated("--cron --force")?;
    let second = scene.renewed(&first, leaf, chain, names)?;
    dehydrated("--revoke certs/wild/cert.pem")?;
    scene.revoked(&second, "unspecified")?;
    scene.good(&first)
}

/// http-01 by uacme's hook, for a name and an address. It is shown another system's bundle in a mount namespace.
pub(crate) fn uacme(namespace: &str) -> Result<(), String> {
    let scene = Scene::new()?;
    let script = format!(
        "mount --bind ca/root.pem {SYSTEM_BUNDLE} && exec uacme -v -a \"$@\" --hook \"$0\""
    );
    let uacme = |arguments: &str| {
        let mut command = scene.command("unshare", &format!("{namespace} sh -c"));
        command.args([&script, &hook(), &scene.directory, "--confdir", "uacme"]);
        command.args(arguments.split_whitespace());
        scene.finish(command)
    };
    let (chain, names) = ("uacme/a.localhost/cert.pem", "a.localhost 127.0.0.1");
    uacme("--yes new")?;
    uacme("--type EC issue a.localhost 127.0.0.1")?;
    let first = scene.issued(chain, chain, names)?;
    uacme("--type EC --force issue a.localhost 127.0.0.1")?;
    let second = scene.renewed(&first, chain, chain, names)?;
    // signed with the certificate's key: no account is asked (RFC 8555 §7.6)
    uacme("--reason 1 revoke uacme/a.localhost/cert.pem uacme/private/a.localhost/key.pem")?;
    scene.revoked(&second, "keyCompromise")?;
    scene.good(&first)
}
