//! Configurations of others: where the rules are in them.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value as Json, json};
use stampmill_claim_check::import::{Imported, KubernetesJwt, KubernetesRule, OpenBaoRole};

use super::read_text;
use crate::print::Printer;

pub(super) fn import(path: &Path, out: Printer) -> anyhow::Result<()> {
    let file: Json =
        serde_norway::from_str(&read_text(path)?).with_context(|| path.display().to_string())?;
    for imported in all(&file)? {
        if out.is_json() {
            out.fields(&[
                ("check", json!(imported.check)),
                ("notes", json!(imported.notes)),
            ]);
        } else {
            for note in &imported.notes {
                out.line(format_args!("// {note}"));
            }
            out.line(imported.check.trim_end());
        }
    }
    Ok(())
}

/// A check for each authenticator or role.
fn all(file: &Json) -> anyhow::Result<Vec<Imported>> {
    if let Some(authenticators) = file["jwt"].as_array() {
        return authenticators.iter().map(kubernetes).collect();
    }
    if file.get("claimValidationRules").is_some() {
        return Ok(vec![kubernetes(file)?]);
    }
    // As it is written to the server, or as it is read back.
    for role in [file, &file["data"]] {
        if let Some(program) = role.get("cel_program") {
            return Ok(vec![openbao(program)?]);
        }
    }
    bail!(
        "neither `jwt` or `claimValidationRules` (Kubernetes) nor `cel_program` (OpenBao) is there"
    )
}

fn kubernetes(json: &Json) -> anyhow::Result<Imported> {
    let mut rules = Vec::new();
    for rule in json["claimValidationRules"]
        .as_array()
        .into_iter()
        .flatten()
    {
        rules.push(
            match (rule["claim"].as_str(), rule["expression"].as_str()) {
                (Some(claim), None) => KubernetesRule::Required {
                    claim: claim.to_owned(),
                    value: rule["requiredValue"].as_str().unwrap_or("").to_owned(),
                },
                (None, Some(expression)) => KubernetesRule::Expression {
                    expression: expression.to_owned(),
                    message: rule["message"].as_str().map(str::to_owned),
                },
                _ => bail!("a claimValidationRule has either `claim` or `expression`: {rule}"),
            },
        );
    }
    let issuer = &json["issuer"];
    let audiences = issuer["audiences"].as_array().into_iter().flatten();
    let jwt = KubernetesJwt {
        issuer: issuer["url"].as_str().map(str::to_owned),
        audiences: audiences
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        rules,
        user_rules: json["userValidationRules"].as_array().map_or(0, Vec::len),
    };
    Ok(jwt.import()?)
}

fn openbao(program: &Json) -> anyhow::Result<Imported> {
    let text = |json: &Json, name: &str| {
        let text = json[name].as_str().map(str::to_owned);
        text.with_context(|| format!("`{name}` is missing, or no text: {json}"))
    };
    let mut variables = Vec::new();
    for variable in program["variables"].as_array().into_iter().flatten() {
        variables.push((text(variable, "name")?, text(variable, "expression")?));
    }
    let expression = text(program, "expression")?;
    let role = OpenBaoRole {
        variables,
        expression,
    };
    Ok(role.import()?)
}
