//! What can be typed: the verbs and their arguments. The doc comments here are the program's help.
//!
//! `defer`: a verb's arguments are put together when the verb is typed. There are hundreds, and to put all of them together takes as long as to
//! make ten key pairs. What is said of a verb stands at the verb: a doc comment of a struct of arguments would take its place.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stampmill_jose::Algorithm;
use stampmill_token_service::domain::{
    GrantType, ResponseType, SIGNING_ALGORITHMS, signing_algorithm,
};

use crate::verbs::ca::CaVerb;

/// The folder `serve` keeps everything in unless `--data` names another.
const DATA: &str = "stampmill-data";

/// Key agreement, assembly, a JIT, a certificate authority, and the OAuth token service they feed.
///
/// Without a verb: the tour, everything once and for real, in seconds.
#[derive(Debug, Parser)]
#[command(name = "stampmill", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print the result as JSON, for programs: one object, and of a list one object a line, so nothing of an empty one. Errors stay sentences on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Verb {
    /// Run the token service: HTTPS, strict, durable unless told to keep nothing (loopback only). SIGHUP reads its configuration again and renews its certificate.
    Serve(ServeArgs),
    /// A certificate authority of one's own.
    Ca(Below<CaVerb>),
    /// Diffie-Hellman key exchange.
    Dh(Below<DhVerb>),
    /// Claim checks in CEL: evaluate, explain, test and format them, or show what they are compiled to.
    Check(Below<CheckVerb>),
    /// Look at tokens.
    Token(Below<TokenVerb>),
    /// The OAuth clients the service knows.
    Client(Below<ClientVerb>),
    /// The people who can log in.
    User(Below<UserVerb>),
    /// The keys the service signs tokens with.
    Keys(Below<KeysVerb>),
    /// What this machine has: processor features, engines, compiler, ports.
    Doctor,
}

// The verbs below a verb: as arguments of its own, they are put together when it is typed, too.
#[derive(Debug, Args)]
pub(crate) struct Below<V: Subcommand> {
    #[command(subcommand)]
    pub(crate) verb: V,
}

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The service's data folder.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// Issuer, clients, people, resources and lifetimes, in TOML (docs/configuration.md); what is given here counts more than what is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where to listen for HTTPS, as ADDRESS:PORT; port 0 takes a free one [default: localhost:8443].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,

    /// The issuer identifier, if it is not https://localhost and the port; it may have a path.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Also listen for plain HTTP, for a proxy in front; loopback addresses only.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_plain: Option<SocketAddr>,

    /// Let others use the folder's certificate authority: ACME at /acme, certificates, CRL and OCSP at /ca.
    #[arg(long)]
    pub(crate) authority: bool,

    /// The same, and certificates, CRL and OCSP over plain HTTP there, too: what is issued from then on points at it;
    /// with port 0, what this server issues.
    #[arg(long, value_name = "ADDR")]
    pub(crate) authority_listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum DhVerb {
    /// The exchange of the post, p = 23 and g = 5, with these private values.
    Toy {
        /// Alice's private value, 1 to 21.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=21))]
        a: u8,
        /// Bob's private value, 1 to 21.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=21))]
        b: u8,
    },
    /// The groups known here, or the numbers of one.
    Group {
        /// The group's name.
        name: Option<String>,
    },
    /// One exchange between two fresh key pairs.
    Exchange {
        /// The group's name.
        #[arg(default_value = "ffdhe2048")]
        group: String,
    },
}

// Where a check gets its claims and its time from.
#[derive(Debug, Args)]
pub(crate) struct ClaimsArgs {
    /// The claims, a JSON object in a file; - is standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) claims: PathBuf,
    /// The time in seconds since 1970, if not the clock's.
    #[arg(long)]
    pub(crate) now: Option<i64>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum CheckVerb {
    /// Evaluate a claim check, by machine code and by the interpreter. A check that is false is a result, not an error.
    Eval {
        /// The check, in CEL: `claims` is the token's payload, `now` the time in seconds.
        #[arg(allow_hyphen_values = true)]
        expression: String,
        #[command(flatten)]
        on: ClaimsArgs,
    },
    /// Show why a check says what it says: the value of every part, and the part that decided.
    Explain {
        /// The check, in CEL.
        #[arg(allow_hyphen_values = true)]
        expression: String,
        #[command(flatten)]
        on: ClaimsArgs,
    },
    /// Show what remains of a check when some claims are known and the others are not.
    Partial {
        /// The check, in CEL.
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// The known claims, a JSON object in a file; - is standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        claims: PathBuf,
        /// The time in seconds since 1970, if it is known.
        #[arg(long)]
        now: Option<i64>,
    },
    /// Check names and types, and warn of what is probably not meant.
    Lint {
        /// The check, in CEL.
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// Warnings fail, too.
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Run policy tests: YAML or JSON files with an expression, claims and what is expected.
    Test {
        /// Files, or folders with files *.yaml, *.yml and *.json.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Format a check: usual spaces and line breaks, comments kept.
    Fmt {
        /// A file with the check; - is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Write the file instead of printing.
        #[arg(long)]
        write: bool,
        /// Only say whether it is formatted: exit code 1 if not.
        #[arg(long, conflicts_with = "write")]
        check: bool,
    },
    /// Make a check of a Kubernetes authentication configuration or of an OpenBao CEL role.
    Import {
        /// The configuration in YAML or JSON; - is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Type expressions and see their values; :help lists what else there is.
    Repl {
        /// The claims, a JSON object in a file.
        #[arg(long, value_name = "FILE")]
        claims: Option<PathBuf>,
        /// The time in seconds since 1970, if not the clock's.
        #[arg(long)]
        now: Option<i64>,
    },
    /// List the operators, functions and macros of the language.
    Functions {
        /// Those with this in their line, and their types.
        word: Option<String>,
    },
    /// Show a claim check's syntax tree, types, cost, intermediate code, instructions and machine code.
    Show {
        /// The check, in CEL.
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// Only this.
        #[arg(long = "only", value_enum)]
        only: Option<ShowWhat>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowWhat {
    /// The syntax tree.
    Ast,
    /// The syntax tree with the type of each node.
    Types,
    /// The syntax tree with what each node costs at worst on a payload of 4,096 bytes.
    Cost,
    /// Cranelift's intermediate code.
    Clif,
    /// The processor's instructions as Cranelift chose them, with the registers it gave them.
    Vcode,
    /// The machine code.
    Asm,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum TokenVerb {
    /// Take a token apart without checking anything. It is read from standard input, so that it stays out of the
    /// shell's history.
    Inspect,
    /// Check a token as a resource server does. It is read from standard input.
    Verify {
        /// The issuer's keys, a JWK set in a file.
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
        /// The issuer the token must come from.
        #[arg(long)]
        issuer: String,
        /// The audience the token must be for.
        #[arg(long)]
        audience: String,
        /// Check an ID token (`typ` JWT) instead of an access token (`typ` at+jwt).
        #[arg(long)]
        id_token: bool,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ClientVerb {
    /// Register a client; a generated secret is printed once. A claim check (`issue_when`) and what else there is stand in a
    /// configuration file (docs/configuration.md).
    Add(Box<ClientAddArgs>),
    /// Give a client a new secret, printed once; when it is, a running server refuses the old one.
    Secret {
        #[command(flatten)]
        data: DataArgs,
        /// The client's identifier.
        client_id: String,
    },
    /// Remove a client with everything that was issued to it; when this is done, a running server knows neither.
    Remove {
        #[command(flatten)]
        data: DataArgs,
        /// The client's identifier.
        client_id: String,
    },
    /// Make a token that lets somebody register clients (RFC 7591); it is printed once.
    Invite {
        #[command(flatten)]
        data: DataArgs,
        /// How many clients it registers.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
        /// How many hours it is good.
        #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8_760))]
        hours: u32,
    },
    /// List the clients.
    List {
        #[command(flatten)]
        data: DataArgs,
    },
}

// A client as `client add` registers it.
#[derive(Debug, Args)]
pub(crate) struct ClientAddArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The name people see when they are asked for consent.
    pub(crate) name: String,
    /// Where the client may be sent back to; may be given several times.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub(crate) redirect_uris: Vec<String>,
    /// A client that can keep no secret: an application on a device or in a browser.
    #[arg(long, conflicts_with_all = ["secret_in", "jwks", "jwks_uri"])]
    pub(crate) public: bool,
    /// How the client sends its secret [default: basic].
    #[arg(long, value_enum, conflicts_with_all = ["jwks", "jwks_uri"])]
    pub(crate) secret_in: Option<SecretIn>,
    /// Its public keys, a JWK set: it signs assertions with them (private_key_jwt) and has no secret.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    pub(crate) jwks: Option<PathBuf>,
    /// Where its public keys are, instead: an https address, fetched when they are needed.
    #[arg(long, value_name = "URI")]
    pub(crate) jwks_uri: Option<String>,
    /// An application on the user's machine: any port of a loopback redirect URI will do (RFC 8252 §7.3).
    #[arg(long)]
    pub(crate) native: bool,
    /// What the client may do: authorization_code, refresh_token, client_credentials or
    /// urn:ietf:params:oauth:grant-type:device_code. Without it authorization_code if it has a redirect URI, else
    /// client_credentials. May be given several times.
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant_type)]
    pub(crate) grants: Vec<GrantType>,
    /// What it may ask the authorization endpoint for: "code", "code id_token", "code token" or "code id_token token". May be
    /// given several times; "code" alone without it.
    #[arg(long = "response-type", value_name = "TYPE", value_parser = response_type)]
    pub(crate) response_types: Vec<ResponseType>,
    /// Whether a person's `sub` is the same for all clients, or another for each host of a redirect URI.
    #[arg(long, value_name = "TYPE", default_value = "public", value_parser = ["public", "pairwise"])]
    pub(crate) subject_type: String,
    /// The most it may ask for, separated by spaces. `offline_access` needs `--grant refresh_token`, too.
    #[arg(
        long,
        value_name = "SCOPES",
        default_value = "openid profile email api"
    )]
    pub(crate) scope: String,
    #[command(flatten)]
    pub(crate) logout: ClientLogoutArgs,
}

// Where a client and its people go when a session ends.
#[derive(Debug, Args)]
pub(crate) struct ClientLogoutArgs {
    /// Where people may be sent after they signed out; may be given several times.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    pub(crate) post_logout_redirect_uris: Vec<String>,
    /// Where the service posts a logout token when a session ends (OpenID Connect Back-Channel Logout).
    #[arg(long, value_name = "URI")]
    pub(crate) backchannel_logout_uri: Option<String>,
    /// The client needs `sid` in logout tokens. It gets it in any case.
    #[arg(long, requires = "backchannel_logout_uri")]
    pub(crate) backchannel_logout_session_required: bool,
    /// What the browser opens in a frame when the person signs out (OpenID Connect Front-Channel Logout).
    #[arg(long, value_name = "URI")]
    pub(crate) frontchannel_logout_uri: Option<String>,
    /// The client needs `iss` and `sid` in that address. It gets them in any case.
    #[arg(long, requires = "frontchannel_logout_uri")]
    pub(crate) frontchannel_logout_session_required: bool,
}

/// The ways a client may send its secret.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SecretIn {
    /// In the Authorization header (client_secret_basic).
    Basic,
    /// In the body (client_secret_post).
    Post,
    /// Never: it signs assertions (client_secret_jwt).
    Jwt,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum UserVerb {
    /// Add a person; a generated password is printed once.
    Add {
        #[command(flatten)]
        data: DataArgs,
        /// The name to log in with.
        username: String,
        /// The person's name.
        #[arg(long)]
        name: Option<String>,
        /// The person's email address.
        #[arg(long)]
        email: Option<String>,
        /// Another claim of OpenID Connect Core §5.1, as NAME=VALUE; VALUE is JSON or else a text. May be given again.
        #[arg(long = "claim", value_name = "NAME=VALUE")]
        claims: Vec<String>,
    },
    /// Read a password from standard input and print its hash, for the configuration file.
    Hash,
    /// Give a person a new password, printed once, and end their sessions; a running server tells clients within seconds.
    Password {
        #[command(flatten)]
        data: DataArgs,
        /// The name to log in with.
        username: String,
    },
    /// Remove a person with their sessions and all they allowed; a running server tells clients within seconds.
    Remove {
        #[command(flatten)]
        data: DataArgs,
        /// The name to log in with.
        username: String,
    },
    /// List the people.
    List {
        #[command(flatten)]
        data: DataArgs,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum KeysVerb {
    /// List the signing keys: which signs, which comes next, which only verifies.
    List {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Make the next key of an algorithm. A running server publishes it within two seconds and signs with it 15 minutes later.
    Rotate {
        #[command(flatten)]
        data: DataArgs,
        /// RS256, PS256, ES256 or EdDSA.
        #[arg(long, value_name = "ALG", default_value = "RS256", value_parser = signing_alg)]
        alg: Algorithm,
    },
    /// Withdraw a key that others may have: unpublished, what it signed refused, and a new one signs. A running server does
    /// so within two seconds; who caches the key set, when they fetch it again.
    Withdraw {
        /// Its `kid`, as `keys list` shows it. It may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        data: DataArgs,
    },
}

fn signing_alg(name: &str) -> Result<Algorithm, String> {
    signing_algorithm(name).ok_or_else(|| {
        let known = SIGNING_ALGORITHMS.map(Algorithm::name).join(", ");
        format!("expected one of {known}")
    })
}

fn response_type(name: &str) -> Result<ResponseType, String> {
    ResponseType::parse(name).ok_or_else(|| {
        let known = ResponseType::ALL.map(|(_, name)| format!("{name:?}"));
        format!("expected one of {}", known.join(", "))
    })
}

fn grant_type(name: &str) -> Result<GrantType, String> {
    GrantType::parse(name).ok_or_else(|| {
        let known: Vec<&str> = GrantType::ALL.iter().map(|(_, name)| *name).collect();
        format!("expected one of {}", known.join(", "))
    })
}
