//! `ca trust`, `ca untrust`: the root into other programs' stores, and out again.

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{
    Authority, Certificate, TrustPlaces, TrustStep, TrustStore, check_trustworthy, trust_stores,
};

use super::args::TrustArgs;
use super::judge::root;
use crate::print::Printer;

pub(super) fn trust(args: &TrustArgs, out: Printer) -> anyhow::Result<()> {
    let folder = &args.authority.folder;
    let root = root(folder)?;
    check_trustworthy(&root, folder, args.unconstrained, args.unprotected_key)?;
    each(&root, args, out, true)
}

pub(super) fn untrust(args: &TrustArgs, out: Printer) -> anyhow::Result<()> {
    each(&root(&args.authority.folder)?, args, out, false)
}

/// What half a change leaves is taken out again, so far as that goes.
fn undone(store: &TrustStore) -> String {
    let failed: Vec<_> = store
        .remove
        .iter()
        .filter_map(|step| step.run().err())
        .collect();
    match failed.last() {
        None => format!("{}: nothing of it is left there", store.name),
        Some(error) => format!("{}: and it could not be undone: {error}", store.name),
    }
}

fn each(root: &Certificate, args: &TrustArgs, out: Printer, adds: bool) -> anyhow::Result<()> {
    let steps = |store: &TrustStore| match adds {
        true => store.add.clone(),
        false => store.remove.clone(),
    };
    let file = args.authority.folder.join(Authority::ROOT_FILE);
    let file = std::path::absolute(&file).with_context(|| format!("{}", file.display()))?;
    let places = match &args.root_dir {
        Some(folder) => TrustPlaces::below(folder),
        None => TrustPlaces::of_this_machine(),
    };
    let mut stores = trust_stores(root, &file, &places);
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
            let ran = steps(store).iter().try_for_each(TrustStep::run);
            ran.with_context(|| match adds {
                true => undone(store),
                false => store.name.to_owned(),
            })?;
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
