//! Proves that other people's programs believe what `stampmill ca` says about revocation, by CRL and by OCSP, open its PKCS #12 files, and
//! that a full disk leaves nothing half recorded.
#![allow(clippy::unwrap_used)]

#[path = "ca_support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::Value;
use stampmill_interop::{Needs, Verdict, run_verdicts, stampmill_program};
use support::{outcome, text};

fn main() -> ExitCode {
    let needs = |programs: &[&str]| Needs::programs(programs);
    run_verdicts(vec![
        Verdict::new(
            "openssl_ocsp_believes_the_responder",
            needs(&["openssl"]),
            openssl_ocsp,
        ),
        Verdict::new(
            "ocsptool_believes_the_responder",
            needs(&["ocsptool"]),
            ocsptool,
        ),
        Verdict::new(
            "curl_fetches_answers_that_caches_may_keep",
            needs(&["openssl", "curl"]),
            caches,
        ),
        Verdict::new(
            "openssl_verify_refuses_what_the_crl_lists",
            needs(&["openssl"]),
            openssl_crl,
        ),
        Verdict::new(
            "openssl_takes_a_part_of_the_crl_for_what_it_covers",
            needs(&["openssl", "curl", "python3"]),
            openssl_crl_parts,
        ),
        Verdict::new(
            "certtool_believes_the_crl",
            needs(&["certtool"]),
            certtool_crl,
        ),
        Verdict::new(
            "nginx_refuses_a_revoked_client_by_our_crl",
            needs(&["nginx", "curl"]),
            nginx_crl,
        ),
        Verdict::new(
            "nginx_refuses_a_revoked_client_by_our_responder",
            needs(&["nginx", "curl"]),
            nginx_ocsp,
        ),
        Verdict::new(
            "the_compose_files_nginx_stands_before_an_application",
            needs(&["nginx", "curl", "python3"]),
            nginx_of_the_guide,
        ),
        Verdict::new(
            "openssl_opens_the_pkcs12_file",
            needs(&["openssl"]),
            openssl_pkcs12,
        ),
        Verdict::new(
            "nss_opens_the_pkcs12_file",
            needs(&["pk12util", "certutil"]),
            nss_pkcs12,
        ),
        Verdict::new(
            "keytool_opens_the_pkcs12_file",
            needs(&["keytool"]),
            keytool,
        )
        .when_present(),
        Verdict::new(
            "nss_trusts_and_untrusts_in_a_scratch_root",
            needs(&["certutil"]),
            trust_nss,
        ),
        Verdict::new(
            "debian_trusts_and_untrusts_in_a_scratch_root",
            needs(&["update-ca-certificates", "openssl"]),
            trust_debian,
        )
        .when_present(),
        Verdict::new(
            "a_full_disk_leaves_nothing_half_recorded",
            needs(&["bash"]),
            full_disk,
        ),
        Verdict::new(
            "a_power_cut_while_issuing_loses_nothing",
            needs(&["bash"]),
            killed,
        ),
        Verdict::new(
            "pkilint_finds_nothing_in_crl_and_ocsp_answer",
            needs(&["openssl", "curl", "python3"])
                .and_path(support::venv("lint_crl"), "./test --install"),
            pkilint,
        ),
    ])
}

/// An authority with a server that is good, a client that is good and one of each that is revoked.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Result<Scene, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let scene = Scene { folder };
        scene.stampmill("ca init --ca ca --base-url http://ca.internal:8380")?;
        scene.stampmill("ca issue --ca ca app.localhost 127.0.0.1")?;
        scene.stampmill("ca issue --ca ca gone.localhost")?;
        scene.stampmill("ca issue --ca ca --profile client good.test")?;
        scene.stampmill("ca issue --ca ca --profile client gone.test")?;
        scene.stampmill("ca revoke --ca ca gone.localhost.pem --reason keyCompromise")?;
        scene.stampmill("ca revoke --ca ca gone.test.pem")?;
        scene.stampmill("ca crl --ca ca --out crl.pem")?;
        scene.stampmill("ca crl --ca ca --of-root --out root-crl.pem")?;
        for (name, parts) in [
            ("cas.pem", ["ca/root.pem", "ca/issuing.pem"]),
            ("crls.pem", ["crl.pem", "root-crl.pem"]),
        ] {
            let [first, second] = parts.map(|part| std::fs::read(scene.path(part)));
            let both = [first, second].into_iter().collect::<Result<Vec<_>, _>>();
            let both = both.map_err(|error| error.to_string())?.concat();
            std::fs::write(scene.path(name), both).map_err(|error| error.to_string())?;
        }
        Ok(scene)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn stampmill(&self, arguments: &str) -> Result<String, String> {
        self.run(&stampmill_program()?.display().to_string(), arguments)
    }

    /// Runs a program to its good end.
    fn run(&self, program: &str, arguments: &str) -> Result<String, String> {
        let output = outcome(&mut self.command(program, arguments))?;
        match output.status.success() {
            true => Ok(text(&output)),
            false => Err(format!("{program} {arguments}: {}", text(&output))),
        }
    }

    fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments.split(' '))
            .current_dir(self.folder.path());
        command
    }
}

/// `stampmill ca serve`, stopped when dropped.
struct Published {
    process: Child,
    url: String,
}

impl Published {
    fn start(scene: &Scene) -> Result<Published, String> {
        let mut process = Command::new(stampmill_program()?)
            .args([
                "ca",
                "serve",
                "--ca",
                "ca",
                "--listen",
                "127.0.0.1:0",
                "--json",
            ])
            .current_dir(scene.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let read = BufReader::new(stdout).read_line(&mut line);
        let ready: Value = read.map_err(|error| error.to_string()).and_then(|_| {
            serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))
        })?;
        let url = ready["url"].as_str().ok_or("no url")?.to_owned();
        Ok(Published { process, url })
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn expect(said: &str, wanted: &str) -> Result<(), String> {
    match said.contains(wanted) {
        true => Ok(()),
        false => Err(format!("expected `{wanted}` in:\n{said}")),
    }
}

// ---- OCSP --------------------------------------------------------------------------------------------------------------

fn openssl_ocsp() -> Result<(), String> {
    let scene = Scene::new()?;
    let published = Published::start(&scene)?;
    for (digest, nonce) in [("-sha256", ""), ("-sha1", " -no_nonce")] {
        let ask = |certificate: &str| {
            let url = &published.url;
            scene.run(
                "openssl",
                &format!("ocsp -issuer ca/issuing.pem {digest} -cert {certificate} -CAfile cas.pem -url {url}/ocsp{nonce}"),
            )
        };
        let good = ask("app.localhost.pem")?;
        expect(&good, "app.localhost.pem: good")?;
        expect(&good, "Response verify OK")?;
        let gone = ask("gone.localhost.pem")?;
        expect(&gone, "gone.localhost.pem: revoked")?;
        expect(&gone, "Reason: keyCompromise")?;
    }
    let two = scene.run(
        "openssl",
        &format!(
            "ocsp -issuer ca/issuing.pem -cert app.localhost.pem -cert gone.localhost.pem -CAfile cas.pem -url {}/ocsp",
            published.url
        ),
    )?;
    expect(&two, "app.localhost.pem: good")?;
    expect(&two, "gone.localhost.pem: revoked")
}

fn ocsptool() -> Result<(), String> {
    let scene = Scene::new()?;
    let published = Published::start(&scene)?;
    let ask = |certificate: &str| {
        let arguments = format!(
            "--ask={}/ocsp --load-issuer=ca/issuing.pem --load-cert={certificate} --load-trust=cas.pem",
            published.url
        );
        // its exit code tells the certificate's status, too
        outcome(&mut scene.command("ocsptool", &arguments)).map(|output| text(&output))
    };
    let good = ask("app.localhost.pem")?;
    expect(&good, "Verifying OCSP Response: Success")?;
    expect(&good, "Certificate Status: good")?;
    expect(&ask("gone.localhost.pem")?, "Certificate Status: revoked")
}

fn caches() -> Result<(), String> {
    let scene = Scene::new()?;
    let published = Published::start(&scene)?;
    scene.run(
        "openssl",
        "ocsp -issuer ca/issuing.pem -cert app.localhost.pem -no_nonce -reqout question.der",
    )?;
    let base64 = scene.run("openssl", "base64 -A -in question.der")?;
    let base64 = base64.lines().nth(1).ok_or("no base64")?.to_owned();
    let escaped = base64
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    for question in [&base64, &escaped] {
        let url = format!("{}/ocsp/{question}", published.url);
        let said = scene.run(
            "curl",
            &format!("-q -s -S --fail --noproxy * -D - -o answer.der {url}"),
        )?;
        let said = said.to_ascii_lowercase();
        for wanted in [
            "content-type: application/ocsp-response",
            "last-modified:",
            "expires:",
            "etag:",
            "cache-control: max-age=",
        ] {
            expect(&said, wanted)?;
        }
        let judged = scene.run(
            "openssl",
            "ocsp -issuer ca/issuing.pem -cert app.localhost.pem -no_nonce -respin answer.der -CAfile cas.pem",
        )?;
        expect(&judged, "app.localhost.pem: good")?;
    }
    let list = format!(
        "-q -s -S --fail --noproxy * -D - -o fetched.crl {}/crl/issuing.crl",
        published.url
    );
    expect(
        &scene.run("curl", &list)?.to_ascii_lowercase(),
        "content-type: application/pkix-crl",
    )?;
    scene.run(
        "openssl",
        "crl -in fetched.crl -inform DER -noout -CAfile cas.pem",
    )?;
    for certificate in ["root.cer", "issuing.cer"] {
        let url = format!("{}/{certificate}", published.url);
        scene.run(
            "curl",
            &format!("-q -s -S --fail --noproxy * -o {certificate} {url}"),
        )?;
        scene.run(
            "openssl",
            &format!("x509 -inform DER -in {certificate} -noout"),
        )?;
    }
    let other = format!(
        "-q -s -o /dev/null -w %{{http_code}} --noproxy * -d x=1 {}/ocsp",
        published.url
    );
    expect(&scene.run("curl", &other)?, "415")
}

// ---- CRL ---------------------------------------------------------------------------------------------------------------

fn openssl_crl() -> Result<(), String> {
    let scene = Scene::new()?;
    let verify = "verify -x509_strict -crl_check_all -CAfile ca/root.pem -untrusted ca/issuing.pem -CRLfile crls.pem";
    scene.run("openssl", &format!("{verify} app.localhost.pem"))?;
    match scene.run("openssl", &format!("{verify} gone.localhost.pem")) {
        Err(said) => expect(&said, "certificate revoked"),
        Ok(said) => Err(format!("accepted: {said}")),
    }
}

/// More certificates than one part of the list covers.
fn many_certificates(scene: &Scene) -> Result<(), String> {
    let script = "import sqlite3\n\
        store = sqlite3.connect('ca/ca.sqlite3')\n\
        rows = [('%032x' % (1 << 100 | n), 'issuing', 'server', '', 0, 4000000000, 0, '', b'') for n in range(10000)]\n\
        store.executemany('INSERT INTO certificate (serial, issuer, profile, subject, not_before, not_after, issued_at, key, der)\
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', rows)\n\
        store.commit()\n";
    let output = outcome(
        Command::new("python3")
            .args(["-c", script])
            .current_dir(scene.folder.path()),
    )?;
    match output.status.success() {
        true => Ok(()),
        false => Err(text(&output)),
    }
}

fn openssl_crl_parts() -> Result<(), String> {
    let scene = Scene::new()?;
    many_certificates(&scene)?;
    scene.stampmill("ca issue --ca ca late.localhost")?;
    scene.stampmill("ca issue --ca ca late-and-gone.localhost")?;
    scene.stampmill("ca revoke --ca ca late-and-gone.localhost.pem")?;
    let shown = scene.run(
        "openssl",
        "x509 -in late.localhost.pem -noout -ext crlDistributionPoints",
    )?;
    expect(&shown, "http://ca.internal:8380/crl/issuing-1.crl")?;
    let published = Published::start(&scene)?;
    for (part, file) in [
        ("issuing.crl", "0.crl"),
        ("issuing-1.crl", "1.crl"),
        ("all.crl", "all.crl"),
    ] {
        let url = format!("{}/crl/{part}", published.url);
        scene.run(
            "curl",
            &format!("-q -s -S --fail --noproxy * -o {file} {url}"),
        )?;
        scene.run(
            "openssl",
            &format!("crl -inform DER -in {file} -out {file}.pem -CAfile cas.pem"),
        )?;
    }
    let absent = format!(
        "-q -s -o /dev/null -w %{{http_code}} --noproxy * {}/crl/issuing-2.crl",
        published.url
    );
    expect(&scene.run("curl", &absent)?, "404")?;
    let shown = scene.run("openssl", "crl -in 1.crl.pem -noout -text")?;
    expect(&shown, "X509v3 Issuing Distribution Point: critical")?;
    expect(&shown, "URI:http://ca.internal:8380/crl/issuing-1.crl")?;

    let verify = |part: &str, certificate: &str| {
        let arguments = format!(
            "verify -x509_strict -crl_check -CAfile ca/root.pem -untrusted ca/issuing.pem -CRLfile {part}.crl.pem {certificate}.localhost.pem"
        );
        outcome(&mut scene.command("openssl", &arguments)).map(|output| text(&output))
    };
    expect(&verify("1", "late")?, "late.localhost.pem: OK")?;
    expect(&verify("1", "late-and-gone")?, "certificate revoked")?;
    expect(&verify("0", "app")?, "app.localhost.pem: OK")?;
    expect(&verify("0", "gone")?, "certificate revoked")?;
    // a part says nothing about what it does not cover
    expect(&verify("0", "late")?, "ifferent CRL scope")?;
    expect(&verify("1", "app")?, "ifferent CRL scope")?;
    expect(&verify("all", "late")?, "late.localhost.pem: OK")?;
    expect(&verify("all", "late-and-gone")?, "certificate revoked")?;
    expect(&verify("all", "gone")?, "certificate revoked")
}

fn certtool_crl() -> Result<(), String> {
    let scene = Scene::new()?;
    scene.run(
        "certtool",
        "--verify-crl --load-ca-certificate ca/issuing.pem --infile crl.pem",
    )?;
    scene.run(
        "certtool",
        "--verify-crl --load-ca-certificate ca/root.pem --infile root-crl.pem",
    )?;
    let verify = "--verify --verify-profile=high --load-ca-certificate ca/root.pem --load-crl crls.pem --infile";
    scene.run("certtool", &format!("{verify} app.localhost.pem"))?;
    match scene.run("certtool", &format!("{verify} gone.localhost.pem")) {
        Err(said) => expect(&said, "revoked"),
        Ok(said) => Err(format!("accepted: {said}")),
    }
}

/// Client certificates checked by the CRL, as nginx does it.
fn nginx_crl() -> Result<(), String> {
    let scene = Scene::new()?;
    let crls = scene.path("crls.pem");
    judge_clients(&scene, &format!("ssl_crl {};", crls.display()))
}

/// The same by asking the responder: nginx refuses whoever it gets no answer about, too.
fn nginx_ocsp() -> Result<(), String> {
    let scene = Scene::new()?;
    let published = Published::start(&scene)?;
    let responder = format!("ssl_ocsp leaf; ssl_ocsp_responder {}/ocsp;", published.url);
    judge_clients(&scene, &responder)?;
    // nobody answers there: then nobody is let in
    let port = free_port()?;
    let nobody = format!("ssl_ocsp leaf; ssl_ocsp_responder http://127.0.0.1:{port}/ocsp;");
    match judge_clients(&scene, &nobody) {
        Err(said) => expect(&said, "The SSL certificate error"),
        Ok(()) => Err("nginx let a client in without an answer about it".to_owned()),
    }
}

/// nginx that asks for a client's certificate and judges revocation by `how`.
fn judge_clients(scene: &Scene, how: &str) -> Result<(), String> {
    let port = free_port()?;
    let folder = scene.folder.path().display();
    let config = format!(
        "{}server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/app.localhost.pem; ssl_certificate_key {folder}/app.localhost.key;\n\
         ssl_client_certificate {folder}/cas.pem; ssl_verify_client on; ssl_verify_depth 2; {how}\n\
         location / {{ return 200 \"hello $ssl_client_verify\\n\"; }} }} }}\n",
        frame(scene)
    );
    std::fs::write(scene.path("nginx.conf"), config).map_err(|error| error.to_string())?;
    let _server = start_nginx(scene)?;
    let ask = |options: &str| visit(scene, port, "/", options);
    expect(
        &ask("--cert good.test.pem --key good.test.key ")?,
        "hello SUCCESS",
    )?;
    expect(&ask("")?, "No required SSL certificate was sent")?;
    expect(
        &ask("--cert gone.test.pem --key gone.test.key ")?,
        "The SSL certificate error",
    )?;
    // a server's certificate is no client's
    expect(
        &ask("--cert app.localhost.pem --key app.localhost.key ")?,
        "The SSL certificate error",
    )
}

/// What every nginx needs that is run by a test.
fn frame(scene: &Scene) -> String {
    let folder = scene.folder.path().display();
    format!(
        "daemon off; pid {folder}/nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 16; }}\n\
         http {{ access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;\n\
         uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n"
    )
}

fn start_nginx(scene: &Scene) -> Result<Stopped, String> {
    let server = Command::new("nginx")
        .args(["-p", ".", "-e", "stderr", "-c"])
        .arg(scene.path("nginx.conf"))
        .current_dir(scene.folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    server.map(Stopped).map_err(|error| error.to_string())
}

fn visit(scene: &Scene, port: u16, path: &str, options: &str) -> Result<String, String> {
    let url = format!("https://app.localhost:{port}{path}");
    let arguments = format!(
        "-q -s -S --noproxy * --retry 20 --retry-connrefused --retry-delay 1 --max-time 40 --cacert ca/root.pem --resolve app.localhost:{port}:127.0.0.1 {options}{url}"
    );
    outcome(&mut scene.command("curl", &arguments)).map(|output| text(&output))
}

/// The configuration in docs/nginx, which the guide's Compose file mounts: the same text with other places and ports.
fn nginx_of_the_guide() -> Result<(), String> {
    let scene = Scene::new()?;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/nginx");
    let read = |name: &str| std::fs::read_to_string(docs.join(name)).map_err(|e| e.to_string());
    let compose = read("compose.yaml")?;
    for mounted in [
        "./nginx.conf:/etc/nginx/nginx.conf:ro",
        "./pki:/etc/nginx/pki:ro",
    ] {
        expect(&compose, mounted)?;
    }
    let (port, application) = (free_port()?, free_port()?);
    let served = scene.path("srv/private");
    std::fs::create_dir_all(&served).map_err(|error| error.to_string())?;
    std::fs::write(served.join("page"), "for clients\n").map_err(|error| error.to_string())?;
    std::fs::write(scene.path("srv/page"), "for all\n").map_err(|error| error.to_string())?;
    let application_port = application.to_string();
    let python = Command::new("python3")
        .args([
            "-m",
            "http.server",
            &application_port,
            "--bind",
            "127.0.0.1",
            "--directory",
            "srv",
        ])
        .current_dir(scene.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _python = Stopped(python.map_err(|error| error.to_string())?);

    let folder = scene.folder.path().display().to_string();
    let own = read("nginx.conf")?;
    let http = own.find("http {").ok_or("no http block")? + "http {".len();
    let config = frame(&scene) + &own[http..];
    let config = config
        .replace("/etc/nginx/pki", &folder)
        .replace("listen 443", &format!("listen 127.0.0.1:{port}"))
        .replace(
            "http://application:8000",
            &format!("http://127.0.0.1:{application}"),
        );
    std::fs::write(scene.path("nginx.conf"), config).map_err(|error| error.to_string())?;
    scene.run(
        "nginx",
        &format!("-t -q -p . -e stderr -c {folder}/nginx.conf"),
    )?;
    let _server = start_nginx(&scene)?;
    let visit = |path: &str, options: &str| visit(&scene, port, path, options);
    expect(&visit("/page", "--retry-all-errors --fail ")?, "for all")?;
    expect(&visit("/private/page", "")?, "403 Forbidden")?;
    let good = "--cert good.test.pem --key good.test.key ";
    expect(&visit("/private/page", good)?, "for clients")?;
    let gone = "--cert gone.test.pem --key gone.test.key ";
    expect(&visit("/private/page", gone)?, "The SSL certificate error")
}

/// A process, ended when dropped.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // politely: nginx has workers of its own to end
        let _ = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
    }
}

fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok(address.port())
}

// ---- PKCS #12 ----------------------------------------------------------------------------------------------------------

fn bundle(options: &str) -> Result<Scene, String> {
    let scene = Scene::new()?;
    std::fs::write(scene.path("password"), "secret\n").map_err(|error| error.to_string())?;
    scene.run("chmod", "600 password")?;
    scene.stampmill(&format!(
        "ca issue --ca ca --profile client laptop.test --pkcs12-password-file password{options}"
    ))?;
    Ok(scene)
}

fn openssl_pkcs12() -> Result<(), String> {
    for options in ["", " --pkcs12-legacy"] {
        let scene = bundle(options)?;
        let said = scene.run(
            "openssl",
            "pkcs12 -in laptop.test.p12 -passin pass:secret -nodes -info",
        )?;
        expect(&said, "BEGIN PRIVATE KEY")?;
        if said.matches("BEGIN CERTIFICATE").count() != 3 {
            return Err(format!("expected leaf, intermediate and root in:\n{said}"));
        }
        let wanted = if options.is_empty() {
            "AES-256-CBC"
        } else {
            "3-KeyTripleDES"
        };
        expect(&said, wanted)?;
    }
    Ok(())
}

fn nss_pkcs12() -> Result<(), String> {
    let scene = bundle("")?;
    let database = format!("sql:{}", scene.folder.path().display());
    scene.run("certutil", &format!("-N -d {database} --empty-password"))?;
    scene.run(
        "pk12util",
        &format!("-i laptop.test.p12 -d {database} -W secret"),
    )?;
    let said = scene.run("certutil", &format!("-K -d {database}"))?;
    expect(&said, "laptop.test")
}

fn keytool() -> Result<(), String> {
    let scene = bundle("")?;
    let said = scene.run(
        "keytool",
        "-list -keystore laptop.test.p12 -storepass secret",
    )?;
    expect(&said, "PrivateKeyEntry")
}

// ---- trust stores ------------------------------------------------------------------------------------------------------

fn trust_nss() -> Result<(), String> {
    let scene = Scene::new()?;
    std::fs::create_dir_all(scene.path("scratch/nssdb")).map_err(|error| error.to_string())?;
    scene.run("certutil", "-N -d sql:scratch/nssdb --empty-password")?;
    let refused = scene.stampmill("ca trust --ca ca --apply --store nss --root-dir scratch");
    expect(&refused.err().unwrap_or_default(), "has no passphrase")?;
    scene.stampmill("ca trust --ca ca --apply --store nss --root-dir scratch --unprotected-key")?;
    let listed = |scene: &Scene| scene.run("certutil", "-L -d sql:scratch/nssdb");
    expect(&listed(&scene)?, "stampmill-")?;
    scene.stampmill("ca untrust --ca ca --apply --store nss --root-dir scratch")?;
    match listed(&scene)?.contains("stampmill-") {
        true => Err("it is still there".to_owned()),
        false => Ok(()),
    }
}

/// Debian's own program, with folders of our own.
fn trust_debian() -> Result<(), String> {
    let scene = Scene::new()?;
    for folder in [
        "scratch/etc/ssl/certs",
        "scratch/usr/local/share/ca-certificates",
    ] {
        std::fs::create_dir_all(scene.path(folder)).map_err(|error| error.to_string())?;
    }
    let root_dir = scene.path("scratch").display().to_string();
    let java = "/etc/ssl/certs/java/cacerts";
    let java_before = std::fs::read(java).ok();
    let verify = "verify -no-CApath -no-CAstore -CAfile scratch/etc/ssl/certs/ca-certificates.crt -untrusted ca/issuing.pem app.localhost.pem";
    scene.stampmill(&format!(
        "ca trust --ca ca --apply --store debian --root-dir {root_dir} --unprotected-key"
    ))?;
    scene.run("openssl", verify)?;
    scene.stampmill(&format!(
        "ca untrust --ca ca --apply --store debian --root-dir {root_dir}"
    ))?;
    if std::fs::read(java).ok() != java_before {
        return Err(format!("{java}, which is the machine's own, was changed"));
    }
    match scene.run("openssl", verify) {
        Err(said) => expect(&said, "unable to get"),
        Ok(said) => Err(format!("still trusted: {said}")),
    }
}

// ---- bad luck ----------------------------------------------------------------------------------------------------------

fn count(scene: &Scene) -> Result<usize, String> {
    let listed = scene.stampmill("ca list --ca ca --json")?;
    Ok(listed
        .lines()
        .filter(|line| line.contains("\"serial\""))
        .count())
}

/// A limit on file sizes stands in for the full disk: writes behind it fail.
fn full_disk() -> Result<(), String> {
    let scene = Scene::new()?;
    let before = count(&scene)?;
    let program = stampmill_program()?.display().to_string();
    let script = format!(
        "trap '' XFSZ; ulimit -f 4; for n in 1 2 3; do {program} ca issue --ca ca n$n.test; done"
    );
    let mut bash = Command::new("bash");
    let said = text(&outcome(
        bash.args(["-c", &script]).current_dir(scene.folder.path()),
    )?);
    expect(&said, "nothing was recorded")?;
    let after = count(&scene)?;
    let certificates = (1..=3)
        .filter(|n| scene.path(&format!("n{n}.test.pem")).exists())
        .count();
    let keys = (1..=3)
        .filter(|n| scene.path(&format!("n{n}.test.key")).exists())
        .count();
    if (after - before, certificates, keys) != (0, 0, 0) {
        return Err(format!(
            "{} recorded, {certificates} certificates and {keys} keys written: {said}",
            after - before
        ));
    }
    // and with room again it works
    scene.stampmill("ca issue --ca ca later.test").map(drop)
}

/// Killed at any moment: what has a certificate has a record.
fn killed() -> Result<(), String> {
    let scene = Scene::new()?;
    let program = stampmill_program()?;
    for milliseconds in [2, 5, 8, 11, 14, 17, 20, 30, 40, 60] {
        let name = format!("k{milliseconds}.test");
        let mut process = Command::new(&program)
            .args(["ca", "issue", "--ca", "ca", &name])
            .current_dir(scene.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        let _ = process.kill();
        let _ = process.wait();
        let listed = scene.stampmill(&format!("ca list --ca ca {name}"))?;
        if scene.path(&format!("{name}.pem")).exists() {
            expect(&listed, &name)?;
        }
    }
    Ok(())
}

// ---- linters -----------------------------------------------------------------------------------------------------------

fn pkilint() -> Result<(), String> {
    let scene = Scene::new()?;
    scene.run(
        "openssl",
        "ocsp -issuer ca/issuing.pem -sha256 -cert gone.localhost.pem -no_nonce -reqout question.der",
    )?;
    scene.stampmill("ca ocsp --ca ca question.der --out answer.der")?;
    let lint = |program: &str, arguments: &str| {
        let program: &Path = &support::venv(program);
        let said = scene.run(&program.display().to_string(), arguments)?;
        let clean =
            !said.contains("(WARNING)") && !said.contains("(ERROR)") && !said.contains("(FATAL)");
        match clean {
            true => Ok(()),
            false => Err(said),
        }
    };
    lint("lint_crl", "lint -t CRL -p BR -s WARNING crl.pem")?;
    lint("lint_crl", "lint -t CRL -p PKIX -s WARNING crl.pem")?;
    many_certificates(&scene)?;
    scene.stampmill("ca issue --ca ca late.localhost")?;
    scene.stampmill("ca revoke --ca ca late.localhost.pem")?;
    let published = Published::start(&scene)?;
    let part = format!(
        "-q -s -S --fail --noproxy * -o part.crl {}/crl/issuing-1.crl",
        published.url
    );
    scene.run("curl", &part)?;
    lint("lint_crl", "lint -t CRL -p BR -s WARNING part.crl")?;
    lint("lint_crl", "lint -t ARL -p PKIX -s WARNING root-crl.pem")?;
    lint("lint_ocsp_response", "lint -s WARNING answer.der")
}
