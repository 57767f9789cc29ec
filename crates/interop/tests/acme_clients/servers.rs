//! Servers with certificates by ACME, run by the configuration files of the guide: the same texts with other places and ports.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::scene::{Issued, Scene, Setup, expect};

/// How long a server may take for what it does by itself.
const PATIENCE: Duration = Duration::from_secs(30);
const NAME: &str = "app.localhost";

/// `ca renew-issuing` beside the running `ca serve`: who comes next is shown the next intermediate, by every door, and believes it.
pub(crate) fn renewed_intermediate() -> Result<(), String> {
    let scene = Scene::with(&Setup {
        short_issuing: true,
        ..Setup::default()
    })?;
    let serial = |file: &str| scene.run("openssl", &format!("x509 -in {file} -noout -serial"));
    let published = || {
        let from = format!("{}/issuing.cer", scene.url);
        scene.run("curl", &format!("-sS -o shown.cer {from}"))?;
        serial("shown.cer")
    };
    let shaken = || {
        let at = scene.directory.trim_start_matches("https://");
        let at = at.split('/').next().unwrap_or_default();
        let asked = format!(
            "s_client -connect {at} -servername localhost -showcerts -CAfile ca/root.pem -verify_return_error"
        );
        let shown = scene.run("openssl", &asked)?;
        expect(&shown, "Verify return code: 0 (ok)")?;
        let intermediate = shown.split("-----BEGIN CERTIFICATE-----").nth(2);
        let intermediate = intermediate.ok_or("no intermediate was shown")?;
        scene.write(
            "shown.pem",
            &format!("-----BEGIN CERTIFICATE-----{intermediate}"),
        )?;
        serial("shown.pem")
    };
    let before = serial("ca/issuing.pem")?;
    expect(&published()?, &before)?;
    expect(&shaken()?, &before)?;
    scene.stampmill("ca renew-issuing --ca ca --days 200")?;
    let next = serial("ca/issuing.pem")?;
    if next == before {
        return Err("there is no other intermediate".to_owned());
    }
    expect(&published()?, &next)?;
    expect(&shaken()?, &next)
}

/// Caddy proves its name, staples what the responder says, and when that is `revoked` it gets another certificate. A staple is good for
/// days, so it is thrown away; Caddy looks when it starts.
pub(crate) fn caddy() -> Result<(), String> {
    let scene = Scene::with(&Setup {
        own_web: true,
        published: true,
        ..Setup::default()
    })?;
    let own = guide("caddy/Caddyfile")?;
    let places = format!(
        "skip_install_trust\n\tadmin off\n\tstorage file_system {}\n\tdefault_bind 127.0.0.1\n\thttp_port {}\n\thttps_port {}",
        scene.path("caddy").display(),
        scene.http_port,
        scene.tls_port
    );
    let config = replace(
        &own,
        &[
            ("skip_install_trust", &places),
            ("https://localhost:8381/acme/directory", &scene.directory),
            ("/etc/caddy/root.pem", &scene.root()),
        ],
    )?;
    scene.write("Caddyfile", &config)?;
    let run = || {
        Running::start(
            &scene,
            "caddy",
            "run --config Caddyfile --adapter caddyfile",
        )
    };
    let server = run()?;
    let first = shown(&scene, None)?;
    expect(&scene.run("curl", &visit(&scene))?, "hello from Caddy")?;
    stapled(&scene)?;
    drop(server);

    scene.stampmill(&format!(
        "ca revoke --ca ca {} --reason keyCompromise",
        first.serial()
    ))?;
    scene.revoked(&first, "keyCompromise")?;
    std::fs::remove_dir_all(scene.path("caddy/ocsp")).map_err(|error| error.to_string())?;
    let _server = run()?;
    let second = shown(&scene, Some(&first))?;
    stapled(&scene)?;
    // Caddy has no way to revoke: that is the operator's
    scene.stampmill(&format!("ca revoke --ca ca {}", second.serial()))?;
    scene.revoked(&second, "unspecified")
}

/// nginx shows dehydrated's proofs from a folder, and takes up what dehydrated gets: at first a certificate that nobody trusts, without
/// which it would not start.
pub(crate) fn nginx() -> Result<(), String> {
    let scene = Scene::with(&Setup {
        own_web: true,
        ..Setup::default()
    })?;
    let folder = scene.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    std::fs::create_dir_all(scene.path("certs").join(NAME)).map_err(|error| error.to_string())?;
    let own = guide("nginx/acme.conf")?;
    let frame = format!("daemon off; pid {folder}/nginx.pid; error_log stderr crit;\n\nevents {{");
    let temporary = format!(
        "http {{\n    access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;\n    \
         uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;"
    );
    let config = replace(
        &own,
        &[
            ("events {", &frame),
            ("http {", &temporary),
            (
                "listen 80;",
                &format!("listen 127.0.0.1:{};", scene.http_port),
            ),
            (
                "listen 443 ssl;",
                &format!("listen 127.0.0.1:{} ssl;", scene.tls_port),
            ),
            ("/var/www/dehydrated/", &format!("{folder}/web/")),
            ("/var/lib/dehydrated", folder),
        ],
    )?;
    scene.write("nginx.conf", &config)?;
    let own = guide("nginx/dehydrated.conf")?;
    let config = replace(
        &own,
        &[
            ("https://localhost:8381/acme/directory", &scene.directory),
            ("/etc/dehydrated/root.pem", &scene.root()),
            ("/var/www/dehydrated", &format!("{folder}/web")),
            ("/var/lib/dehydrated", folder),
            ("/etc/dehydrated/reload.sh", &format!("{folder}/reload.sh")),
        ],
    )?;
    // a small account key is made sooner
    scene.write("config", &format!("{config}ACCOUNT_KEYSIZE=2048\n"))?;
    let reload = replace(
        &guide("nginx/reload.sh")?,
        &[(
            "nginx -s",
            &format!("nginx -p . -e stderr -c {folder}/nginx.conf -s"),
        )],
    )?;
    scene.write("reload.sh", &reload)?;
    scene.run("chmod", "+x reload.sh")?;
    scene.run(
        "openssl",
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=app.localhost -days 1 \
         -keyout certs/app.localhost/privkey.pem -out certs/app.localhost/fullchain.pem",
    )?;
    let _server = Running::start(
        &scene,
        "nginx",
        &format!("-p . -e stderr -c {folder}/nginx.conf"),
    )?;

    let dehydrated = |arguments: &str| scene.run("dehydrated", &format!("-f config {arguments}"));
    dehydrated("--register --accept-terms")?;
    dehydrated("--cron --domain app.localhost")?;
    let first = shown(&scene, None)?;
    expect(&scene.run("curl", &visit(&scene))?, "hello from nginx")?;
    dehydrated("--cron --domain app.localhost --force")?;
    let second = shown(&scene, Some(&first))?;
    dehydrated("--revoke certs/app.localhost/cert.pem")?;
    scene.revoked(&second, "unspecified")?;
    scene.good(&first)
}

fn guide(name: &str) -> Result<String, String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::read_to_string(docs.join(name)).map_err(|error| format!("{name}: {error}"))
}

/// Each of them, which must be there.
fn replace(text: &str, places: &[(&str, &str)]) -> Result<String, String> {
    let mut text = text.to_owned();
    for (from, to) in places {
        expect(&text, from)?;
        text = text.replace(from, to);
    }
    Ok(text)
}

fn visit(scene: &Scene) -> String {
    format!(
        "-q -s -S --fail --noproxy * --cacert ca/root.pem --resolve {NAME}:{port}:127.0.0.1 https://{NAME}:{port}/",
        port = scene.tls_port
    )
}

/// Waits until the server shows a certificate of ours other than `before`, and judges it.
fn shown(scene: &Scene, before: Option<&Issued>) -> Result<Issued, String> {
    let asked = Instant::now();
    loop {
        let said = connect(scene, "-showcerts").and_then(|said| {
            scene.write("shown.pem", &said)?;
            scene.issued("shown.pem", "shown.pem", NAME)
        });
        match said {
            Ok(issued) if before != Some(&issued) => return Ok(issued),
            Err(error) if asked.elapsed() > PATIENCE => return Err(error),
            Ok(_) if asked.elapsed() > PATIENCE => return Err("no other certificate".to_owned()),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The server sends the responder's good word along.
fn stapled(scene: &Scene) -> Result<(), String> {
    let said = connect(scene, "-status -CAfile ca/root.pem")?;
    expect(&said, "OCSP Response Status: successful")?;
    expect(&said, "Cert Status: good")
}

fn connect(scene: &Scene, options: &str) -> Result<String, String> {
    let arguments = format!(
        "s_client -connect 127.0.0.1:{} -servername {NAME} {options}",
        scene.tls_port
    );
    scene.run("openssl", &arguments)
}

/// A server, ended when dropped.
struct Running(Child);

impl Running {
    fn start(scene: &Scene, program: &str, arguments: &str) -> Result<Running, String> {
        let mut command = std::process::Command::new(program);
        command.args(arguments.split_whitespace());
        scene.at_home(&mut command);
        let log = std::fs::File::create(scene.path("server.log")).map_err(|e| e.to_string())?;
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        child
            .map(Running)
            .map_err(|error| format!("{program}: {error}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // politely: nginx has workers of its own to end
        let _ = std::process::Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
    }
}
