//! `ca trust`, `ca untrust`: the root into other programs' stores, and out again.

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{
    Authority, TrustPlaces, TrustStep, TrustStore, check_trustworthy, trust_stores,
};

use super::args::TrustArgs;
use crate::print::Printer;

pub(super) fn trust(authority: &Authority, args: &TrustArgs, out: Printer) -> anyhow::Result<()> {
    let folder = &args.authority.folder;
    check_trustworthy(authority, folder, args.unconstrained, args.unprotected_key)?;
    each(authority, args, out, |store| &store.add)
}

pub(super) fn untrust(authority: &Authority, args: &TrustArgs, out: Printer) -> anyhow::Result<()> {
    each(authority, args, out, |store| &store.remove)
}

fn each(
    authority: &Authority,
    args: &TrustArgs,
    out: Printer,
    steps: fn(&TrustStore) -> &[TrustStep],
) -> anyhow::Result<()> {
    let root = args.authority.folder.join(Authority::ROOT_FILE);
    let root = std::path::absolute(&root).with_context(|| format!("{}", root.display()))?;
    let places = match &args.root_dir {
        Some(folder) => TrustPlaces::below(folder),
        None => TrustPlaces::of_this_machine(),
    };
    let mut stores = trust_stores(authority, &root, &places);
    if let Some(wanted) = &args.store {
        let known: Vec<&str> = stores.iter().map(|store| store.name).collect();
        anyhow::ensure!(
            known.contains(&wanted.as_str()),
            "the stores are {}",
            known.join(", ")
        );
        stores.retain(|store| store.name == wanted);
    }
    if args.apply {
        stores.retain(|store| store.applies);
        anyhow::ensure!(
            !stores.is_empty(),
            "no store here whose commands can be run: without --apply they are shown"
        );
    }
    for store in &stores {
        let commands: Vec<String> = steps(store).iter().map(ToString::to_string).collect();
        if args.apply {
            steps(store).iter().try_for_each(TrustStep::run)?;
        }
        if out.is_json() {
            out.fields(&[
                ("store", json!(store.name)),
                ("read_by", json!(store.read_by)),
                ("commands", json!(commands)),
                ("applied", json!(args.apply)),
            ]);
        } else {
            let done = if args.apply { "done" } else { "to type" };
            out.line(format_args!("{} ({}), {done}:", store.name, store.read_by));
            commands
                .iter()
                .for_each(|command| out.line(format_args!("  {command}")));
        }
    }
    Ok(())
}
