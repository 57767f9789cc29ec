//! `ca zoo`: servers with bad certificates, for tests of clients, until it is told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use stampmill_local_ca::{Inhabitant, Zoo, create_public, crl_pem, now};
use tokio::net::TcpListener;

use super::serve::stopped;
use crate::print::Printer;

#[derive(Debug, Args)]
pub(crate) struct ZooArgs {
    /// Where the hosts are: one TLS port, the host chosen by the name that the client asks for (SNI). Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where CRL and OCSP answers are, over plain HTTP.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    status: SocketAddr,
    /// The file for the zoo's root certificate, which the clients under test are told to trust. It must not exist.
    #[arg(long, value_name = "FILE", default_value = "zoo-root.pem")]
    root: PathBuf,
    /// A file for the CRLs of all authorities here, for clients that take them as a file. It must not exist.
    #[arg(long, value_name = "FILE")]
    crls: Option<PathBuf>,
}

pub(super) fn zoo(args: &ZooArgs, out: Printer) -> anyhow::Result<()> {
    super::super::block_on(async {
        let tls = bind(args.listen).await?;
        let status = bind(args.status).await?;
        let (port, base) = (tls.local_addr()?.port(), status.local_addr()?);
        let base = format!("http://{base}");
        let zoo = Zoo::open(&base.parse()?, now())?;
        create_public(&args.root, zoo.root().pem().as_bytes())?;
        let root_written = Written(&args.root);
        let mut crls_written = None;
        if let Some(file) = &args.crls {
            let all = crls(&zoo)? + &crl_pem(zoo.narrow_crl());
            create_public(file, all.as_bytes())?;
            crls_written = Some(Written(file));
        }
        // Asked once, it hears of signals from here on: whoever reads `ready` may send one.
        let mut stopped = Box::pin(stopped());
        tokio::select! {
            biased;
            () = &mut stopped => return Ok(()),
            () = std::future::ready(()) => {}
        }
        out.rows(zoo.inhabitants().iter().map(|one| row(one, port)));
        out.say(format_args!("trust {}", args.root.display()));
        out.say(format_args!("CRL and OCSP at {base}"));
        if out.is_json() {
            out.fields(&[
                ("ready", json!(true)),
                ("port", json!(port)),
                ("root", json!(args.root)),
                ("status", json!(base)),
            ]);
        } else {
            out.line(format_args!("ready: https://good.localhost:{port}"));
        }
        zoo.serve(tls, status, stopped).await?;
        drop((root_written, crls_written));
        Ok(())
    })?
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

fn crls(zoo: &Zoo) -> anyhow::Result<String> {
    let authority = zoo.authority();
    let root = authority.root_crl(now())?;
    Ok(crl_pem(&authority.crl(now())?) + &crl_pem(&root))
}

fn row(one: &Inhabitant, port: u16) -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("url", json!(format!("https://{}:{port}", one.host()))),
        ("wrong", json!(one.wrong)),
        ("check", json!(one.check)),
        ("rule", json!(one.rule)),
        ("verdict", json!(one.verdict)),
    ]
}

/// The root's key is gone with the program, and so its certificate and its lists are good for nothing: the files go, too.
struct Written<'a>(&'a Path);

impl Drop for Written<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}
