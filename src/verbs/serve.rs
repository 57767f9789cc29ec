//! `stampmill serve`: the token service, from first start to a clean stop.

use std::io::{IsTerminal as _, stdin};
use std::net::SocketAddr;

use serde_json::{Value, json};
use stampmill_token_service::{
    Backend, Config, ConfigFile, DataFolder, FirstStart, Listen, RunningServer, Server, Settings,
};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::ServeArgs;
use crate::print::Printer;

pub(crate) fn run(args: ServeArgs, out: Printer) -> anyhow::Result<()> {
    log_to_stderr();
    let runtime = Runtime::new()?;
    // A first start makes keys for a while. Who asks meanwhile for the configuration to be read again is heard then.
    let hangup = Hangup::listen(&runtime)?;
    let wanted = Wanted::read(&args)?;
    let kept = wanted.kept();
    // A service whose clients or people are configured needs none that are made up.
    let settings = &wanted.settings;
    let configured = !settings.clients.is_empty() || !settings.users.is_empty();
    if configured && DataFolder::is_new(&args.data.data)? {
        settings.check_alone()?;
    }
    let (data, first) = match configured {
        false => DataFolder::open_or_create(&args.data.data)?,
        true => {
            let data = DataFolder::open_or_create_without_demo(&args.data.data)?;
            (data, None)
        }
    };
    // Told before anything else can fail: these are told once.
    if let Some(first) = &first {
        introduce(first, out);
    }
    let config = wanted.config(data);
    runtime.block_on(serve(config, first, hangup, &args, &kept, out))
}

/// What SIGHUP means, from the moment that it is listened to.
struct Hangup {
    signal: Signal,
    /// Where there is a terminal, it may be the terminal's: then it is the end.
    at_terminal: bool,
}

impl Hangup {
    fn listen(runtime: &Runtime) -> std::io::Result<Hangup> {
        let _inside = runtime.enter();
        Ok(Hangup {
            signal: signal(SignalKind::hangup())?,
            at_terminal: stdin().is_terminal(),
        })
    }

    /// Waits until the configuration shall be read again; false when the terminal has gone.
    async fn asks_to_reload(&mut self) -> bool {
        self.signal.recv().await.is_some() && (!self.at_terminal || stdin().is_terminal())
    }
}

/// What the arguments and the file come to together.
struct Wanted {
    listen: Listen,
    listen_plain: Option<SocketAddr>,
    issuer: Option<String>,
    backend: Backend,
    settings: Settings,
}

impl Wanted {
    /// Reads the file, and says what is wrong with it or with the arguments before a folder is made.
    fn read(args: &ServeArgs) -> anyhow::Result<Wanted> {
        let file = match &args.config {
            Some(path) => ConfigFile::read(path)?,
            None => ConfigFile::parse("", "")?,
        };
        let listen = match &args.listen {
            Some(listen) => listen.parse()?,
            None => file.listen.unwrap_or(Listen::Localhost(8443)),
        };
        let mut settings = file.settings;
        if args.authority || args.authority_listen.is_some() {
            let authority = settings.authority.get_or_insert_default();
            authority.listen = args.authority_listen.or(authority.listen);
        }
        let listen_plain = args.listen_plain.or(file.listen_plain);
        let issuer = args.issuer.clone().or(file.issuer);
        Server::check(Some(listen), listen_plain, issuer.as_deref())?;
        Server::check_storage(settings.storage, Some(listen), issuer.as_deref())?;
        if let Some(authority) = &settings.authority {
            authority.check()?;
        }
        Ok(Wanted {
            listen,
            listen_plain,
            issuer,
            backend: file.backend,
            settings,
        })
    }

    fn config(self, data: DataFolder) -> Config {
        Config {
            data,
            listen: Some(self.listen),
            issuer: self.issuer,
            listen_plain: self.listen_plain,
            backend: self.backend,
            settings: self.settings,
        }
    }

    /// What a running server keeps, by its key in the file.
    fn kept(&self) -> [(&'static str, String); 6] {
        [
            ("listen", format!("{:?}", self.listen)),
            ("listen_plain", format!("{:?}", self.listen_plain)),
            ("issuer", format!("{:?}", self.issuer)),
            ("signer", format!("{:?}", self.backend)),
            ("store", format!("{:?}", self.settings.storage)),
            ("[authority]", format!("{:?}", self.settings.authority)),
        ]
    }
}

async fn serve(
    config: Config,
    first: Option<FirstStart>,
    mut hangup: Hangup,
    args: &ServeArgs,
    kept: &[(&'static str, String)],
    out: Printer,
) -> anyhow::Result<()> {
    // Before the ready line: a signal that follows it must find its handler.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => {
            if let (true, Some(first)) = (out.is_json(), &first) {
                out.fields(&[
                    ("error", json!(error.to_string())),
                    ("first_start", secrets(first)),
                ]);
            }
            return Err(error.into());
        }
    };
    announce(&server, first.as_ref(), out);
    let reloading = async {
        while hangup.asks_to_reload().await {
            reload(&server, args, kept).await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reloading => {}
    }
    // A second signal does not wait for the requests under way.
    tokio::select! {
        () = server.shutdown() => out.say("stampmill: stopped"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// What service managers send a hangup for: the configuration is read again, and the certificate renewed. The log says what came of it.
async fn reload(server: &RunningServer, args: &ServeArgs, kept: &[(&'static str, String)]) {
    if args.config.is_some() {
        match Wanted::read(args) {
            Ok(wanted) => put_in_force(server, wanted, kept).await,
            Err(refused) => stays(&refused),
        }
    }
    // What came of it is in the log, too.
    let _ = server.renew_certificate().await;
}

async fn put_in_force(server: &RunningServer, wanted: Wanted, kept: &[(&'static str, String)]) {
    let now = wanted.kept();
    let changed = kept.iter().zip(&now).filter(|(kept, now)| kept != now);
    let changed: Vec<&str> = changed.map(|((name, _), _)| *name).collect();
    let settings = wanted.settings;
    let (clients, users) = (settings.clients.len(), settings.users.len());
    match server.reload(settings).await {
        Ok(()) => {
            tracing::info!(clients, users, "the configuration was read again");
            if !changed.is_empty() {
                let changed = changed.join(", ");
                tracing::warn!("{changed}: this waits for a restart; the rest is in force");
            }
        }
        Err(error) => stays(&error.into()),
    }
}

fn stays(refused: &anyhow::Error) {
    tracing::error!("the configuration stays as it was: {refused}");
}

/// What a first start made up, for people; programs find it in the ready line.
fn introduce(first: &FirstStart, out: Printer) {
    out.say(
        "First start: a demo client and a demo user were made. Their secrets are shown this once.",
    );
    out.say(format_args!("  client_id      {}", first.client_id));
    out.say(format_args!(
        "  client_secret  {}",
        first.client_secret.expose()
    ));
    out.say(format_args!(
        "  redirect_uris  {}",
        first.redirect_uris.join(", ")
    ));
    out.say(format_args!("  username       {}", first.username));
    out.say(format_args!("  password       {}", first.password.expose()));
}

fn announce(server: &RunningServer, first: Option<&FirstStart>, out: Printer) {
    if out.is_json() {
        out.fields(&[
            ("issuer", json!(server.issuer())),
            ("listening", json!(server.local_addrs())),
            ("listening_plain", json!(server.plain_addr())),
            ("authority", json!(server.authority_addr())),
            ("acme", json!(server.acme_directory())),
            ("ca_root", json!(server.ca_root_path())),
            ("first_start", first.map_or(Value::Null, secrets)),
        ]);
        return;
    }
    out.say(format_args!(
        "trust anchor: {}",
        server.ca_root_path().display()
    ));
    if let Some(plain) = server.plain_addr() {
        out.say(format_args!("plain HTTP for a proxy: {plain}"));
    }
    if let Some(authority) = server.authority_addr() {
        out.say(format_args!(
            "certificates, CRL and OCSP: http://{authority}"
        ));
    }
    if let Some(directory) = server.acme_directory() {
        out.say(format_args!("acme: {directory}"));
    }
    out.say(format_args!("stampmill: ready at {}", server.issuer()));
}

fn secrets(first: &FirstStart) -> Value {
    json!({
        "client_id": first.client_id,
        "client_secret": first.client_secret.expose(),
        "redirect_uris": first.redirect_uris,
        "username": first.username,
        "password": first.password.expose(),
    })
}

/// Log lines go to standard error, those that matter unless `RUST_LOG` says otherwise.
pub(super) fn log_to_stderr() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,stampmill=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}
