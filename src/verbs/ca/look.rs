//! `ca view`, `ca lint`: what files say, and what auditors say to that.

use std::path::Path;

use serde_json::json;
use stampmill_local_ca::{RuleSet, Severity, View, lint_all, view_all};

use super::input::Input;
use crate::print::Printer;

pub(super) fn view_file(file: &Path, out: Printer) -> anyhow::Result<()> {
    let views = Input::read(file)?.parsed(view_all)?;
    for (number, view) in (1..).zip(&views) {
        let place = match views.len() {
            1 => String::new(),
            all => format!("{number} of {all}: "),
        };
        out.say(format_args!("{place}{}", view.title));
        show(number, view, out);
    }
    Ok(())
}

fn show(number: usize, view: &View, out: Printer) {
    if view.lines.is_empty() {
        return;
    }
    out.say("offset header+length");
    for line in &view.lines {
        if out.is_json() {
            out.fields(&[
                ("block", json!(number)),
                ("offset", json!(line.offset)),
                ("header", json!(line.header)),
                ("length", json!(line.length)),
                ("depth", json!(line.depth)),
                ("type", json!(line.kind)),
                ("name", json!(line.name)),
                ("value", json!(line.value)),
            ]);
        } else {
            out.line(line);
        }
    }
    if view.cut {
        out.say("... and more than can be shown");
    }
}

pub(super) fn lint_file(file: &Path, rules: RuleSet, out: Printer) -> anyhow::Result<()> {
    let input = Input::read(file)?;
    let all = input.parsed(|bytes| lint_all(bytes, rules))?;
    let mut errors = 0;
    for (number, (role, findings)) in (1..).zip(&all) {
        let place = match all.len() {
            1 => String::new(),
            all => format!("{number} of {all}, "),
        };
        out.say(format_args!("{place}as: {}, rules: {rules}", role.name()));
        out.rows(findings.iter().map(|finding| {
            let mut row = vec![
                ("check", json!(finding.check)),
                ("severity", json!(finding.severity.to_string())),
                ("message", json!(finding.message)),
                ("source", json!(finding.source)),
            ];
            if out.is_json() {
                row.push(("block", json!(number)));
            }
            row
        }));
        let of_this = findings.iter();
        errors += of_this
            .filter(|finding| finding.severity == Severity::Error)
            .count();
    }
    anyhow::ensure!(errors == 0, "{errors} of the checks found errors");
    out.say("no errors");
    Ok(())
}
