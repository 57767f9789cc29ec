//! The token service against node-oidc-provider: requests a second of the server's own CPU time.
//!
//! ```text
//! npm ci --prefix crates/rivals/service --ignore-scripts
//! cargo build --release && cargo bench -p stampmill-rivals --bench service
//! ```
//! All serve plain HTTP on loopback with one thread for requests, to the same 32 keep-alive connections, in turns. What
//! is divided by is CPU time of the server's process (`/proc/PID/stat`), so neither the client nor other programs of the
//! machine count. Every answer must have status 200; the first of each row is looked at.
//! `STAMPMILL_BIN` names another program than `target/release/stampmill`; `STAMPMILL_BEFORE` one that takes its turns beside it,
//! such as the one before a change. `BENCH_ROWS` keeps the rows whose name contains it.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod http;
mod providers;

use http::{Conversation, get};
use providers::{
    Ours, Provider, Setup, Theirs, client_credentials, introspect, provider, redeem, refresh,
    stampmill,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 9;
/// One server's turn.
const TURN: Duration = Duration::from_millis(500);
/// More than any server redeems in a turn.
const CODES: usize = 2500;

fn main() -> Result<()> {
    if env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    // Part of `cargo bench -p stampmill-rivals`, where the other benches need neither.
    if !stampmill().exists() || !provider().join("node_modules").exists() {
        println!(
            "service: not run. First `cargo build --release` and `npm ci --prefix crates/rivals/service --ignore-scripts`"
        );
        return Ok(());
    }
    let setups = setups()?;
    let theirs = Theirs::start()?;
    let ours = setups.iter().map(Ours::start).collect::<Result<Vec<_>>>()?;
    println!(
        "requests per second of server CPU time, median of {ROUNDS} turns each; in brackets, times node-oidc-provider's\n"
    );
    print_head(&setups);
    for row in rows() {
        print_row(&row, &theirs, &ours)?;
    }
    println!(
        "\nnode-oidc-provider: {} MiB afterwards",
        theirs.server().resident()?
    );
    for (setup, ours) in setups.iter().zip(&ours) {
        println!(
            "{}: {} MiB idle, {} MiB afterwards; ready {} ms after exec",
            setup.name,
            ours.idle,
            ours.server().resident()?,
            ours.ready_after.as_millis(),
        );
    }
    Ok(())
}

/// `BENCH_ROWS` keeps the rows whose name contains it.
fn rows() -> impl Iterator<Item = Row> {
    let wanted = env::var("BENCH_ROWS").unwrap_or_default();
    ROWS.iter()
        .copied()
        .filter(move |row| row.name.contains(&wanted))
}

fn setups() -> Result<Vec<Setup>> {
    let disk = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&disk)?;
    let setup = |name, program, signer, store| Setup {
        name,
        program,
        signer,
        store,
        folder: disk.clone(),
    };
    let mut setups = vec![
        setup("stampmill", stampmill(), "openssl", "memory"),
        setup(
            "stampmill, its own signer",
            stampmill(),
            "stampmill",
            "memory",
        ),
        setup("stampmill, on disk", stampmill(), "openssl", "file"),
    ];
    if let Some(before) = env::var_os("STAMPMILL_BEFORE").map(PathBuf::from) {
        setups.push(setup("before", before.clone(), "openssl", "memory"));
        setups.push(setup("before, on disk", before, "openssl", "file"));
    }
    Ok(setups)
}

fn print_head(setups: &[Setup]) {
    let names: Vec<&str> = setups.iter().map(|setup| setup.name).collect();
    println!("| request | node-oidc-provider | {} |", names.join(" | "));
    println!("|---|---:|{}", "---:|".repeat(setups.len()));
}

fn print_row(row: &Row, theirs: &Theirs, ours: &[Ours]) -> Result<()> {
    let all: Vec<&dyn Provider> = std::iter::once(theirs as &dyn Provider)
        .chain(ours.iter().map(|one| one as &dyn Provider))
        .collect();
    let mut rates = vec![Vec::new(); all.len()];
    for _ in 0..ROUNDS {
        for (rates, provider) in rates.iter_mut().zip(&all) {
            let conversations = (row.conversations)(*provider)?;
            rates.push(provider.server().rate(conversations)?);
        }
    }
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    let ours: Vec<String> = rates[1..]
        .iter()
        .map(|rate| format!("{rate:.0} ({:.1}×)", rate / rates[0]))
        .collect();
    println!("| {} | {:.0} | {} |", row.name, rates[0], ours.join(" | "));
    Ok(())
}

/// Not the best: a turn in which one of them had no garbage to collect would count.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

// ---- what is measured -------------------------------------------------------------------------------------------------

#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    /// One turn of a server: what its connections ask.
    conversations: fn(&dyn Provider) -> Result<Vec<Conversation>>,
}

const ROWS: &[Row] = &[
    Row {
        name: "JWKS",
        conversations: |provider| same_request(provider, &get(provider.jwks())),
    },
    Row {
        name: "discovery",
        conversations: |provider| same_request(provider, &get("/.well-known/openid-configuration")),
    },
    Row {
        name: "client_credentials, opaque",
        conversations: |provider| same_request(provider, &client_credentials("opaque")),
    },
    Row {
        name: "client_credentials, ES256",
        conversations: |provider| same_request(provider, &client_credentials("es256")),
    },
    Row {
        name: "client_credentials, RS256",
        conversations: |provider| same_request(provider, &client_credentials("rs256")),
    },
    Row {
        name: "introspection, opaque",
        conversations: introspections,
    },
    Row {
        name: "refresh with rotation, no ID token",
        conversations: refreshes,
    },
    Row {
        name: "code + PKCE, opaque access token, RS256 ID token",
        conversations: redemptions,
    },
];

/// The same request again and again.
fn same_request(provider: &dyn Provider, request: &str) -> Result<Vec<Conversation>> {
    provider.ask(request)?;
    let conversation = || {
        let request = request.to_owned();
        Box::new(move |_: Option<&_>| Some(request.clone())) as Conversation
    };
    Ok((0..CONNECTIONS).map(|_| conversation()).collect())
}

fn introspections(provider: &dyn Provider) -> Result<Vec<Conversation>> {
    let token = provider
        .ask(&client_credentials("opaque"))?
        .member("access_token")?;
    let request = introspect(provider, &token);
    let answer = provider.ask(&request)?;
    assert!(answer.body.contains("\"active\":true"), "{}", answer.body);
    same_request(provider, &request)
}

/// Each connection with a refresh token of its own, which every answer replaces.
fn refreshes(provider: &dyn Provider) -> Result<Vec<Conversation>> {
    let codes = provider.codes("offline_access read", CONNECTIONS)?;
    codes
        .iter()
        .map(|code| {
            let mut token = provider.ask(&redeem(code))?.member("refresh_token")?;
            let conversation: Conversation = Box::new(move |answer| {
                if let Some(answer) = answer {
                    let next = answer.member("refresh_token").expect("rotation is on");
                    assert_ne!(next, token, "rotation replaces the token");
                    token = next;
                }
                Some(refresh(&token))
            });
            Ok(conversation)
        })
        .collect()
}

/// Codes made beforehand, each redeemed once.
fn redemptions(provider: &dyn Provider) -> Result<Vec<Conversation>> {
    let codes = provider.codes("openid read", CODES)?;
    provider.ask(&redeem(&codes[0]))?.member("id_token")?;
    let rest = Arc::new(Mutex::new(codes.into_iter().skip(1)));
    let conversation = || {
        let rest = Arc::clone(&rest);
        Box::new(move |_: Option<&_>| {
            let code = rest.lock().expect("no thread panics with it").next()?;
            Some(redeem(&code))
        }) as Conversation
    };
    Ok((0..CONNECTIONS).map(|_| conversation()).collect())
}
