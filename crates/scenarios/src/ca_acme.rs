//! ACME: a client of a hundred lines, a web server that shows what it is told, and the server of `stampmill ca serve` between TLS and
//! SQLite, all on this machine.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, SigningKey, base64url};
use stampmill_local_ca::acme::{AcmeOperator, AcmeServer, AcmeSettings, Surroundings};
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, SubjectAltName, VerifyOptions, now, utc, verify,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::http_client::{Answer, HttpClient};
use crate::stage::Stage;

const NAME: &str = "app.localhost";
/// Where cloud machines ask for their passwords.
const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

/// Account, order, challenge, certificate; then what the server refuses; then renewal and revocation; then what the operator sees.
pub(crate) fn acme(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(lesson(stage))
}

async fn lesson(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Arc::new(Authority::create(
        &folder.path().join("ca"),
        "localhost-ca",
    )?);
    let web = Web::start().await?;
    let directory = start(&authority, web.port).await?;
    let mut client = Client::new(&authority, &directory).await?;

    let location = account(stage, &mut client).await?;
    client.account = Some(location);
    let order = prove(stage, &mut client, &web).await?;
    let leaf = certificate(stage, &mut client, &authority, order).await?;
    refusals(stage, &mut client, &web).await?;
    renewal(stage, &mut client, &leaf).await?;
    operator(stage, &mut client, &authority).await
}

/// The server, on a port of its own; the directory's address.
async fn start(authority: &Arc<Authority>, http_port: u16) -> anyhow::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let mut settings = AcmeSettings::new(format!("https://localhost:{port}/acme"));
    settings.http_01_port = http_port;
    let server = AcmeServer::open(Arc::clone(authority), settings, Surroundings::system()?)?;
    let server = Arc::new(server);
    let directory = server.directory_url();
    tokio::spawn(server.serve(listener, std::future::pending())?);
    Ok(directory)
}

// ---- the way to a certificate ----------------------------------------------------------------------------------------

async fn account(stage: &mut Stage<'_>, client: &mut Client) -> anyhow::Result<String> {
    stage.heading("1  an account is a key");
    stage.listing(
        "the directory: where everything is",
        pretty(&client.directory),
    );
    let payload = json!({"contact": ["mailto:alice@example.test"]});
    let (header, body) = client.signed("newAccount", &payload).await?;
    stage.listing("what the client signs: the header", pretty(&header));
    stage.note(
        "Every request is signed together with the address it is for and a nonce that is good once. Whoever ends the TLS connection in \
         between can neither change it nor send it again, nor to another server.",
    );
    let answer = client.send("newAccount", body).await?;
    stage.check_rule(
        "the account is made",
        201,
        answer.status.as_u16(),
        "RFC 8555 §7.3",
    );
    let thumbprint = client.key.public_jwk().thumbprint();
    stage.compute(
        "SHA-256 of the key's JSON (RFC 7638): the thumbprint",
        &[],
        thumbprint,
    );
    field(&answer, "location")
}

async fn prove(
    stage: &mut Stage<'_>,
    client: &mut Client,
    web: &Web,
) -> anyhow::Result<(String, Value)> {
    stage.heading("2  an order, and a proof");
    let asked = json!({"identifiers": [{"type": "dns", "value": NAME}]});
    let answer = client.post("newOrder", &asked).await?;
    let (location, order) = (field(&answer, "location")?, body(&answer)?);
    stage.check_rule(
        "the order is",
        "pending",
        text(&order, "status")?,
        "RFC 8555 §7.1.6",
    );
    let address = order["authorizations"][0]
        .as_str()
        .context("one authorization")?;
    let (authorization, challenge) = client.challenge(address).await?;
    let offered = authorization["challenges"]
        .as_array()
        .context("challenges")?;
    let kinds: Vec<&str> = offered
        .iter()
        .filter_map(|one| one["type"].as_str())
        .collect();
    stage.compute("ways to prove that we have the name", &[], kinds.join(", "));

    let token = text(&challenge, "token")?;
    let proof = client.key_authorization(token);
    stage.compute("token.thumbprint", &[("token", &token)], &proof);
    let path = format!("/.well-known/acme-challenge/{token}");
    web.show(&path, &proof);
    stage.note(format!(
        "The client puts that at http://{NAME}{path}: only who has the name can, and it is good for this account's key only. Then it \
         says: look. The server resolves the name once, sees that it is this machine, and fetches.",
    ));
    client.post(text(&challenge, "url")?, &json!({})).await?;
    let decided = client.decided(address).await?;
    stage.check_rule(
        "the authorization is",
        "valid",
        text(&decided, "status")?,
        "RFC 8555 §8.3",
    );
    let order = body(&client.post(&location, &Value::Null).await?)?;
    stage.check("the order is", "ready", text(&order, "status")?);
    Ok((location, order))
}

async fn certificate(
    stage: &mut Stage<'_>,
    client: &mut Client,
    authority: &Authority,
    (location, order): (String, Value),
) -> anyhow::Result<Certificate> {
    stage.heading("3  the request, and the certificate");
    let finalize = text(&order, "finalize")?.to_owned();
    let (other, _) = request("other.localhost")?;
    let refused = client.post(&finalize, &json!({"csr": other})).await?;
    stage.check_rule(
        "a request for another name",
        "badCSR",
        problem(&refused)?,
        "RFC 8555 §7.4",
    );
    let (csr, _key) = request(NAME)?;
    let valid = body(&client.post(&finalize, &json!({"csr": csr})).await?)?;
    stage.check("the order is", "valid", text(&valid, "status")?);
    let chain = client
        .post(text(&valid, "certificate")?, &Value::Null)
        .await?;
    let leaf = Certificate::from_pem(&chain.body)?;
    let options = VerifyOptions::for_host(NAME.parse()?);
    let verdict = verify(&leaf, &[authority.root()], &options)?;
    stage.check_rule(
        "OpenSSL's verdict, at its strictest",
        "OK",
        verdict,
        "RFC 5280 §6",
    );
    let again = client.post(&finalize, &json!({"csr": csr})).await?;
    stage.check_rule(
        "asked once more",
        "orderNotReady",
        problem(&again)?,
        "RFC 8555 §7.4",
    );
    let store = authority
        .store()
        .context("an authority in a folder has records")?;
    let entry = store.find(&leaf.serial())?;
    stage.check("it stands in the records", NAME, entry.names.join(", "));
    stage.note(format!(
        "The order's address, {location}, says where to find it for as long as the authority lives."
    ));
    Ok(leaf)
}

// ---- what is refused -------------------------------------------------------------------------------------------------

async fn refusals(stage: &mut Stage<'_>, client: &mut Client, web: &Web) -> anyhow::Result<()> {
    stage.heading("4  what it refuses");
    let order = |name: &str| json!({"identifiers": [{"type": "dns", "value": name}]});

    let (_, again) = client.signed("newOrder", &order(NAME)).await?;
    client.send("newOrder", again.clone()).await?;
    let replayed = client.send("newOrder", again).await?;
    refused(
        stage,
        "a request sent twice",
        "badNonce",
        &replayed,
        "the nonce",
        "RFC 8555 §6.5",
    )?;

    let (_, elsewhere) = client.signed("newOrder", &order(NAME)).await?;
    let elsewhere = client.send("revokeCert", elsewhere).await?;
    let what = "a request passed on to another address";
    refused(
        stage,
        what,
        "unauthorized",
        &elsewhere,
        "the signed address",
        "RFC 8555 §6.4",
    )?;

    let bank = client.post("newOrder", &order("bank.example")).await?;
    let what = "a certificate for a bank";
    refused(
        stage,
        what,
        "rejectedIdentifier",
        &bank,
        "name constraints",
        "RFC 5280 §4.2.1.10",
    )?;

    let made = client.post("newOrder", &order("evil.localhost")).await?;
    let (location, made) = (field(&made, "location")?, body(&made)?);
    let address = made["authorizations"][0]
        .as_str()
        .context("one authorization")?;
    let (_, challenge) = client.challenge(address).await?;
    let path = format!("/.well-known/acme-challenge/{}", text(&challenge, "token")?);
    web.redirect(&path, METADATA);
    client.post(text(&challenge, "url")?, &json!({})).await?;
    let decided = client.decided(address).await?;
    let error = &decided["challenges"][0]["error"];
    stage.check_rule(
        "the proof, behind a redirect inside",
        "connection",
        kind(error),
        "RFC 8555 §10.4",
    );
    stage.compute(
        "what the server says",
        &[],
        error["detail"].as_str().unwrap_or_default(),
    );
    let order = body(&client.post(&location, &Value::Null).await?)?;
    stage.check_rule(
        "and the order says why it is invalid",
        "connection",
        kind(&order["error"]),
        "RFC 8555 §7.1.3",
    );
    stage.blocked(
        "a server that sends the authority to 169.254.169.254",
        "networks that validation may connect to",
        "RFC 8555 §10.4",
    );
    Ok(())
}

fn refused(
    stage: &mut Stage<'_>,
    attack: &str,
    expected: &str,
    answer: &Answer,
    by: &str,
    rule: &str,
) -> anyhow::Result<()> {
    if stage.check_rule(attack, expected, problem(answer)?, rule) {
        stage.blocked(attack, by, rule);
    }
    Ok(())
}

async fn renewal(
    stage: &mut Stage<'_>,
    client: &mut Client,
    leaf: &Certificate,
) -> anyhow::Result<()> {
    stage.heading("5  when to come again");
    let id = renewal_id(leaf)?;
    let address: Url = format!("{}/{id}", text(&client.directory, "renewalInfo")?).parse()?;
    let window = body(&client.http.get(&address, &[]).await?)?;
    stage.compute("base64url(issuer's key).base64url(serial number)", &[], &id);
    stage.compute(
        format!(
            "the server suggests, for a certificate that ends {}",
            utc(leaf.not_after())
        ),
        &[],
        &window["suggestedWindow"]["start"],
    );
    let der = base64url::encode(leaf.der());
    let revoked = client
        .post("revokeCert", &json!({"certificate": der, "reason": 4}))
        .await?;
    stage.check_rule(
        "revoked, as superseded",
        200,
        revoked.status.as_u16(),
        "RFC 8555 §7.6",
    );
    let window = body(&client.http.get(&address, &[]).await?)?;
    let end: i64 = text(&window["suggestedWindow"], "end")?
        .parse::<jiff::Timestamp>()?
        .as_second();
    stage.check_rule(
        "now the window is over: come at once",
        true,
        end < now(),
        "RFC 9773 §4.2",
    );
    stage.note(
        "certbot 4.1 and later, lego, Caddy and others ask every few hours. So an authority that must revoke a million certificates \
         tonight can have them renewed first.",
    );
    Ok(())
}

// ---- the operator ----------------------------------------------------------------------------------------------------

async fn operator(
    stage: &mut Stage<'_>,
    client: &mut Client,
    authority: &Arc<Authority>,
) -> anyhow::Result<()> {
    stage.heading("6  what the operator sees, and may do");
    let operator = AcmeOperator::open(authority)?;
    let orders: Vec<String> = operator
        .orders(None, 100, now())?
        .iter()
        .map(|order| format!("{:<8} {}", order.status, order.names.join(", ")))
        .collect();
    stage.listing("ca acme orders: the newest first", orders.join("\n"));
    let accounts = operator.accounts()?;
    let account = accounts.first().context("the lesson's account")?;
    let store = authority
        .store()
        .context("an authority in a folder has records")?;
    let proofs: Vec<String> = store
        .log(100)?
        .into_iter()
        .filter(|line| line.event == "proof")
        .map(|line| line.detail.replace(&account.id, "…"))
        .collect();
    stage.listing("ca log: who proved what, and how", proofs.join("\n"));
    operator.revoke_account(&account.id, now())?;
    let asked = json!({"identifiers": [{"type": "dns", "value": NAME}]});
    let refused = client.post("newOrder", &asked).await?;
    stage.check_rule(
        "ca acme deactivate: what the account asks for then",
        "unauthorized",
        problem(&refused)?,
        "RFC 8555 §7.1.6",
    );
    Ok(())
}

// ---- the client ------------------------------------------------------------------------------------------------------

/// What a client needs: a key, and what the last answer said.
struct Client {
    http: HttpClient,
    directory: Value,
    key: SigningKey,
    account: Option<String>,
}

impl Client {
    async fn new(authority: &Authority, directory: &str) -> anyhow::Result<Self> {
        let http = HttpClient::trusting(&authority.root_pem())?;
        let directory = body(&http.get(&directory.parse()?, &[]).await?)?;
        Ok(Self {
            http,
            directory,
            key: SigningKey::generate(Algorithm::Es256)?,
            account: None,
        })
    }

    /// An address, or what the directory calls it.
    fn address(&self, named: &str) -> String {
        self.directory[named].as_str().unwrap_or(named).to_owned()
    }

    /// The header, and the whole request (RFC 8555 §6.2). Null is the empty payload of POST-as-GET.
    async fn signed(&self, to: &str, payload: &Value) -> anyhow::Result<(Value, String)> {
        let nonce = self
            .http
            .get(&self.address("newNonce").parse()?, &[])
            .await?;
        let mut header = json!({
            "alg": self.key.alg(),
            "nonce": field(&nonce, "replay-nonce")?,
            "url": self.address(to),
        });
        match &self.account {
            Some(account) => header["kid"] = json!(account),
            None => header["jwk"] = serde_json::to_value(self.key.public_jwk())?,
        }
        let protected = base64url::encode(header.to_string());
        let payload = match payload {
            Value::Null => String::new(),
            payload => base64url::encode(payload.to_string()),
        };
        let signature = self.key.sign(format!("{protected}.{payload}").as_bytes())?;
        let signature = base64url::encode(signature);
        let request = json!({"protected": protected, "payload": payload, "signature": signature});
        Ok((header, request.to_string()))
    }

    async fn send(&self, to: &str, request: String) -> anyhow::Result<Answer> {
        let address = self.address(to).parse()?;
        self.http
            .post(&address, "application/jose+json", request)
            .await
    }

    async fn post(&self, to: &str, payload: &Value) -> anyhow::Result<Answer> {
        let (_, request) = self.signed(to, payload).await?;
        self.send(to, request).await
    }

    /// An authorization and its http-01 challenge.
    async fn challenge(&self, address: &str) -> anyhow::Result<(Value, Value)> {
        let authorization = body(&self.post(address, &Value::Null).await?)?;
        let challenges = authorization["challenges"]
            .as_array()
            .context("challenges")?;
        let found = challenges.iter().find(|one| one["type"] == "http-01");
        let challenge = found.context("http-01 is offered")?.clone();
        Ok((authorization, challenge))
    }

    /// The authorization once the server has looked.
    async fn decided(&self, address: &str) -> anyhow::Result<Value> {
        for _ in 0..200 {
            let authorization = body(&self.post(address, &Value::Null).await?)?;
            if authorization["status"] != "pending" {
                return Ok(authorization);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the server does not look")
    }

    /// RFC 8555 §8.1.
    fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.key.public_jwk().thumbprint())
    }
}

/// A request in base64url of its DER, and its key.
fn request(name: &str) -> anyhow::Result<(String, stampmill_local_ca::LeafKey)> {
    let names: [SubjectAltName; 1] = [name.parse()?];
    let (request, key) = CertificateRequest::new("", &names)?;
    Ok((base64url::encode(request.to_der()), key))
}

/// RFC 9773 §4.1, read by OpenSSL from the certificate.
fn renewal_id(leaf: &Certificate) -> anyhow::Result<String> {
    let certificate = leaf.as_openssl();
    let key = certificate
        .authority_key_id()
        .context("the issuer's key is named")?;
    let mut serial = certificate.serial_number().to_bn()?.to_vec();
    if serial.first().is_some_and(|byte| byte & 0x80 != 0) {
        // as in DER: a zero keeps it positive
        serial.insert(0, 0);
    }
    Ok(format!(
        "{}.{}",
        base64url::encode(key.as_slice()),
        base64url::encode(serial)
    ))
}

fn body(answer: &Answer) -> anyhow::Result<Value> {
    serde_json::from_slice(&answer.body).context("the answer is no JSON")
}

fn field(answer: &Answer, name: &str) -> anyhow::Result<String> {
    let value = answer
        .headers
        .get(name)
        .with_context(|| format!("no {name}"))?;
    Ok(value.to_str()?.to_owned())
}

fn text<'v>(value: &'v Value, member: &str) -> anyhow::Result<&'v str> {
    value[member]
        .as_str()
        .with_context(|| format!("no {member} in {value}"))
}

/// The type of a problem without its prefix.
fn problem(answer: &Answer) -> anyhow::Result<String> {
    Ok(kind(&body(answer)?).to_owned())
}

fn kind(problem: &Value) -> &str {
    let kind = problem["type"].as_str().unwrap_or("none");
    kind.rsplit(':').next().unwrap_or(kind)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("it was JSON")
}

// ---- the web server ----------------------------------------------------------------------------------------------------

/// Whoever has the name shows what they like there.
struct Web {
    port: u16,
    answers: Arc<Mutex<HashMap<String, String>>>,
}

impl Web {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let answers: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let shown = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // one that breaks off hurts nobody
                let _ = respond(stream, &shown).await;
            }
        });
        Ok(Self { port, answers })
    }

    fn show(&self, path: &str, text: &str) {
        let length = text.len();
        self.put(
            path,
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{text}"),
        );
    }

    fn redirect(&self, path: &str, to: &str) {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        self.put(path, answer);
    }

    fn put(&self, path: &str, answer: String) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(path.to_owned(), answer);
    }
}

async fn respond(
    mut stream: TcpStream,
    answers: &Mutex<HashMap<String, String>>,
) -> anyhow::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let answer = {
        let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(path).cloned()
    };
    let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    stream
        .write_all(answer.as_deref().unwrap_or(missing).as_bytes())
        .await?;
    Ok(stream.shutdown().await?)
}
