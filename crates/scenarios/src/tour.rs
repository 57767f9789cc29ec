//! The tour: everything once, for real, in seconds. Each stop is a few lines computed then and there through the crates,
//! and names the example that goes deeper.

use std::time::Instant;

use anyhow::Context as _;
use rand::rngs::SysRng;
use stampmill_claim_check::{ClaimCheck, Context};
use stampmill_dh::{Group, KeyPair};
use stampmill_local_ca::{Certificate, VerifyOptions, verify};
use stampmill_modexp::{Engine, Modulus, tutorial};
use stampmill_token_service::{Backend, Config, DataFolder, FirstStart, Listen, RunningServer, Server};

use crate::jit;
use crate::oauth::{Client, Login, User};
use crate::stage::Stage;

/// What a stop says, a line each.
type Results = Vec<String>;

/// The claim check of the tour: is the token still good, and does it let its bearer see a profile?
const CLAIM_CHECK: &str = r#"claims.exp > now && has(claims.scope) && claims.client_id != """#;

pub(crate) fn tour(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut stops = Stops { stage, number: 0 };
    stops.stop("Diffie-Hellman", "dh_toy", diffie_hellman)?;
    stops.stop("assembly", "asm_add", assembly)?;
    stops.stop("JIT", "jit_add", just_in_time)?;

    let folder = tempfile::tempdir()?;
    let (data, first) = DataFolder::open_or_create(&folder.path().join("data"))?;
    let first = first.context("a new data folder has a demo client")?;
    let config = Config {
        listen: Some(Listen::Localhost(0)),
        backend: Backend::Stampmill,
        ..Config::new(data)
    };
    let server = runtime.block_on(Server::start(config))?;
    stops.stop("CA", "ca_root_and_leaf", |stage| certificate(stage, &runtime, &server))?;
    runtime.block_on(log_in(&mut stops, &server, &first))?;
    runtime.block_on(server.shutdown());
    Ok(())
}

/// Numbers the stops.
struct Stops<'a, 'b> {
    stage: &'a mut Stage<'b>,
    number: usize,
}

impl Stops<'_, '_> {
    fn stop(
        &mut self,
        topic: &str,
        example: &str,
        work: impl FnOnce(&mut Stage<'_>) -> anyhow::Result<Results>,
    ) -> anyhow::Result<()> {
        let results = work(self.stage).with_context(|| format!("the tour's stop {topic:?}"))?;
        self.show(topic, example, &results);
        Ok(())
    }

    fn show(&mut self, topic: &str, example: &str, results: &[String]) {
        self.number += 1;
        self.stage.stop(self.number, topic, results, example);
    }
}
