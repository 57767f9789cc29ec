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
    /// A file for the two CRLs, for clients that take them as a file.
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
        let written = RootFile(&args.root);
        if let Some(file) = &args.crls {
            create_public(file, crls(&zoo)?.as_bytes())?;
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
        zoo.serve(tls, status, stopped()).await?;
        drop(written);
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

/// The root's key is gone with the program, and so its certificate is good for nothing: the file goes, too.
struct RootFile<'a>(&'a Path);

impl Drop for RootFile<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}
