//! Proves that a server killed with SIGKILL under load forgets nothing it has answered and lets nothing be used twice: refresh
//! families go on from their last acknowledged token, and a code brings tokens once. The moments are random, by a seed that
//! every failure names; `STAMPMILL_SEED` sets another.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use stampmill_token_service::{Config, DataFolder, Server};
use support::{CALLBACK, Client, ISSUER, VERIFIER, basic, code_in, request_of, start};

/// Set for the process that is the server: the data folder, and where to write its port.
const FOLDER: &str = "STAMPMILL_SIGKILL_FOLDER";
const PORT_FILE: &str = "STAMPMILL_SIGKILL_PORT_FILE";

const ROUNDS: usize = 6;
const FAMILIES: usize = 6;
const CODES_A_ROUND: usize = 2;

fn main() -> ExitCode {
    if let (Some(folder), Some(port_file)) = (std::env::var_os(FOLDER), std::env::var_os(PORT_FILE))
    {
        serve_until_killed(Path::new(&folder), Path::new(&port_file));
    }
    let seed = std::env::var("STAMPMILL_SEED").ok();
    let seed = seed
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_122);
    let trial = Trial::test("killed_at_random_moments_under_load", move || {
        killed_under_load(seed).map_err(|wrong| format!("STAMPMILL_SEED={seed}: {wrong}").into())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn serve_until_killed(folder: &Path, port_file: &Path) -> ! {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = Config {
            listen: None,
            listen_plain: Some((Ipv4Addr::LOCALHOST, 0).into()),
            issuer: Some(ISSUER.into()),
            ..Config::new(DataFolder::open(folder).unwrap())
        };
        let server = Server::start(config).await.unwrap();
        let port = server.plain_addr().unwrap().port().to_string();
        let beside = port_file.with_extension("new");
        std::fs::write(&beside, port).unwrap();
        std::fs::rename(&beside, port_file).unwrap();
        std::future::pending::<()>().await;
    });
    unreachable!("it waits for ever")
}

/// The process under test.
struct Victim {
    process: Child,
    port: u16,
}

impl Victim {
    fn start(folder: &Path, round: usize) -> Victim {
        let port_file = folder.with_file_name(format!("port-{round}"));
        let process = Command::new(std::env::current_exe().unwrap())
            .env(FOLDER, folder)
            .env(PORT_FILE, &port_file)
            .spawn()
            .unwrap();
        let mut victim = Victim { process, port: 0 };
        let begun = Instant::now();
        while victim.port == 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it does not start"
            );
            std::thread::sleep(Duration::from_millis(5));
            if let Ok(port) = std::fs::read_to_string(&port_file) {
                victim.port = port.parse().unwrap();
            }
        }
        victim
    }
}

impl Drop for Victim {
    /// SIGKILL: no handler runs, nothing is flushed.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The token endpoint as the demo client sees it: status and body, or nothing if the server died first.
#[derive(Clone)]
struct TokenEndpoint {
    authorization: String,
}

impl TokenEndpoint {
    fn post(&self, port: u16, form: &str) -> Option<(u16, serde_json::Value)> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            self.authorization,
            form.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.get(9..12)?.parse().ok()?;
        // An answer that was cut off was not received.
        Some((status, serde_json::from_str(body).ok()?))
    }

    fn refresh(&self, port: u16, token: &str) -> Option<(u16, serde_json::Value)> {
        self.post(
            port,
            &format!("grant_type=refresh_token&refresh_token={token}"),
        )
    }

    fn redeem(&self, port: u16, code: &str) -> Option<u16> {
        let callback: String = form_urlencoded::byte_serialize(CALLBACK.as_bytes()).collect();
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={callback}&code_verifier={VERIFIER}"
        );
        self.post(port, &form).map(|(status, _)| status)
    }
}

/// A generator of moments (Knuth's MMIX constants): the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn killed_under_load(seed: u64) -> Result<(), String> {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (endpoint, mut codes) = prepare(&folder);
    let mut dice = Dice(seed);
    let mut victim = Victim::start(&folder, 0);
    let mut families: Vec<String> = Vec::new();
    for code in codes.split_off(codes.len() - FAMILIES) {
        families.push(first_token(&endpoint, victim.port, &code)?);
    }
    let oldest = families.clone();
    let mut refreshed = 0;
    for round in 1..=ROUNDS {
        let at_stake = codes.split_off(codes.len() - CODES_A_ROUND);
        let load = load(&endpoint, victim.port, &families, &at_stake, &mut dice);
        std::thread::sleep(Duration::from_millis(20 + dice.below(200)));
        drop(victim);
        let (acknowledged, redeemed) = load.join();
        refreshed += acknowledged.iter().map(|(_, count)| count).sum::<usize>();
        victim = Victim::start(&folder, round);
        for (family, (token, _)) in families.iter_mut().zip(acknowledged) {
            *family = go_on(&endpoint, victim.port, &token)
                .map_err(|wrong| format!("round {round}: {wrong}"))?;
        }
        for (code, answered) in at_stake.iter().zip(redeemed) {
            used_once(&endpoint, victim.port, code, answered)
                .map_err(|wrong| format!("round {round}: {wrong}"))?;
        }
    }
    for (first, last) in oldest.iter().zip(&families) {
        let old = endpoint
            .refresh(victim.port, first)
            .map(|(status, _)| status);
        let new = endpoint
            .refresh(victim.port, last)
            .map(|(status, _)| status);
        if (old, new) != (Some(400), Some(400)) {
            return Err(format!("an old token and its family: {old:?}, {new:?}"));
        }
    }
    drop(victim);
    if refreshed == 0 {
        return Err("there was no load: the test proves nothing".into());
    }
    Ok(())
}

/// The folder, the demo client, and codes of its person: by a server of this process, through the pages.
fn prepare(folder: &Path) -> (TokenEndpoint, Vec<String>) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (server, first) = start(folder).await;
        let first = first.unwrap();
        let mut client = Client::of(&server);
        client.first_code(&first).await;
        let ask = request_of(&first.client_id, "&prompt=consent")
            .replace("openid+profile+email", "openid+offline_access");
        let mut codes = Vec::new();
        for _ in 0..FAMILIES + ROUNDS * CODES_A_ROUND {
            let page = client.get(&ask).await;
            let form = [("request", &*page.hidden()), ("decision", "allow")];
            let back = client.post("/consent", &[], &form).await;
            codes.push(code_in(&back.location()));
        }
        server.shutdown().await;
        let authorization = basic(&first.client_id, first.client_secret.expose());
        (TokenEndpoint { authorization }, codes)
    })
}

fn first_token(endpoint: &TokenEndpoint, port: u16, code: &str) -> Result<String, String> {
    let callback: String = form_urlencoded::byte_serialize(CALLBACK.as_bytes()).collect();
    let form = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={callback}&code_verifier={VERIFIER}"
    );
    let answer = endpoint.post(port, &form);
    let token = answer
        .as_ref()
        .and_then(|(_, body)| body["refresh_token"].as_str());
    token
        .map(str::to_owned)
        .ok_or_else(|| format!("no refresh token: {answer:?}"))
}

struct Load {
    families: Vec<std::thread::JoinHandle<(String, usize)>>,
    codes: Vec<std::thread::JoinHandle<Option<u16>>>,
}

/// Each family refreshes as fast as it can; each code is redeemed at some moment.
fn load(
    endpoint: &TokenEndpoint,
    port: u16,
    families: &[String],
    codes: &[String],
    dice: &mut Dice,
) -> Load {
    let families = families.iter().map(|token| {
        let (endpoint, mut token) = (endpoint.clone(), token.clone());
        std::thread::spawn(move || {
            let mut count = 0;
            while let Some((status, body)) = endpoint.refresh(port, &token) {
                // A token that was just given is good at once: whatever is answered was written.
                assert_eq!(status, 200, "an acknowledged refresh token: {body}");
                token = body["refresh_token"].as_str().unwrap().to_owned();
                count += 1;
            }
            (token, count)
        })
    });
    let families = families.collect();
    let codes = codes.iter().map(|code| {
        let (endpoint, code) = (endpoint.clone(), code.clone());
        let wait = Duration::from_millis(dice.below(150));
        std::thread::spawn(move || {
            std::thread::sleep(wait);
            endpoint.redeem(port, &code)
        })
    });
    Load {
        families,
        codes: codes.collect(),
    }
}

impl Load {
    /// The last acknowledged token of each family and how many came; the answer to each code, if it arrived.
    fn join(self) -> (Vec<(String, usize)>, Vec<Option<u16>>) {
        let families = self.families.into_iter().map(|one| one.join().unwrap());
        let codes = self.codes.into_iter().map(|one| one.join().unwrap());
        (families.collect(), codes.collect())
    }
}

/// No acknowledged grant is lost: the last token a client received works. (If the server had rotated it and died before it
/// could say so, it is the direct predecessor, within its grace.)
fn go_on(endpoint: &TokenEndpoint, port: u16, token: &str) -> Result<String, String> {
    match endpoint.refresh(port, token) {
        Some((200, body)) => Ok(body["refresh_token"].as_str().unwrap().to_owned()),
        other => Err(format!("an acknowledged refresh token was lost: {other:?}")),
    }
}

/// A code brings tokens once: over both lives of the server at most one redemption was answered with tokens.
fn used_once(
    endpoint: &TokenEndpoint,
    port: u16,
    code: &str,
    answered: Option<u16>,
) -> Result<(), String> {
    let again = [endpoint.redeem(port, code), endpoint.redeem(port, code)];
    let answers = [answered, again[0], again[1]];
    let wins = answers
        .iter()
        .filter(|answer| **answer == Some(200))
        .count();
    if wins <= 1 && again[1] == Some(400) {
        Ok(())
    } else {
        Err(format!("a code was answered so: {answers:?}"))
    }
}
