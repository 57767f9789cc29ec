//! Rules of others as claim checks: Kubernetes' `claimValidationRules` and the CEL roles of OpenBao.
//!
//! Both are CEL already. What surrounds the expressions is put into CEL, too, so that one check says what the whole
//! configuration says; what cannot be said about claims is told.

use crate::diagnostic::CompileError;
use crate::format_source::format;
use crate::syntax::{Piece, pieces};
use crate::value::Value;

/// A check, and what of the configuration is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// CEL, formatted.
    pub check: String,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// A JWT authenticator of Kubernetes (`apiserver.config.k8s.io`, `AuthenticationConfiguration`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesJwt {
    /// `issuer.url`.
    pub issuer: Option<String>,
    /// `issuer.audiences`: one of them must be among the token's.
    pub audiences: Vec<String>,
    /// `claimValidationRules`.
    pub rules: Vec<KubernetesRule>,
    /// How many `userValidationRules` there are; they speak of the user, not of claims.
    pub user_rules: usize,
}

/// One of the `claimValidationRules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesRule {
    /// `claim` and `requiredValue`.
    Required {
        /// The claim.
        claim: String,
        /// Its value.
        value: String,
    },
    /// `expression` and `message`.
    Expression {
        /// CEL over `claims`.
        expression: String,
        /// What a refused user is told.
        message: Option<String>,
    },
}

impl KubernetesJwt {
    /// All rules as one check.
    ///
    /// ```
    /// use stampmill_claim_check::import::{KubernetesJwt, KubernetesRule};
    ///
    /// let imported = KubernetesJwt {
    ///     issuer: Some("https://id.example".to_owned()),
    ///     rules: vec![KubernetesRule::Expression {
    ///         expression: "claims.exp - claims.nbf <= 86400".to_owned(),
    ///         message: Some("a token lives a day at most".to_owned()),
    ///     }],
    ///     ..KubernetesJwt::default()
    /// }
    /// .import()?;
    /// assert_eq!(imported.check, "\
    /// claims.iss == \"https://id.example\"
    /// // a token lives a day at most
    /// && (claims.exp - claims.nbf <= 86400)
    /// ");
    /// # Ok::<(), stampmill_claim_check::CompileError>(())
    /// ```
    ///
    /// # Errors
    /// [`CompileError`] of the first rule that is no CEL.
    pub fn import(&self) -> Result<Imported, CompileError> {
        let mut parts = Vec::new();
        if let Some(issuer) = &self.issuer {
            parts.push((None, format!("claims.iss == {}", text(issuer))));
        }
        if !self.audiences.is_empty() {
            let audiences: Vec<_> = self.audiences.iter().map(|name| text(name)).collect();
            let list = format!("[{}]", audiences.join(", "));
            let check = format!(
                "(type(claims.aud) == list ? claims.aud.exists(a, a in {list}) : claims.aud in {list})"
            );
            parts.push((None, check));
        }
        for rule in &self.rules {
            parts.push(match rule {
                KubernetesRule::Required { claim, value } => {
                    (None, format!("claims[{}] == {}", text(claim), text(value)))
                }
                KubernetesRule::Expression {
                    expression,
                    message,
                } => {
                    // Told with its own place, not with that in the whole.
                    format(expression)?;
                    (message.as_deref(), format!("(\n{expression}\n)"))
                }
            });
        }
        let mut notes = Vec::new();
        if self.user_rules > 0 {
            notes.push(format!(
                "{} userValidationRules are left out: they speak of the user that the claims are mapped to",
                self.user_rules
            ));
        }
        Ok(Imported {
            check: joined(&parts)?,
            notes,
        })
    }
}

fn joined(parts: &[(Option<&str>, String)]) -> Result<String, CompileError> {
    let mut source = String::new();
    for (index, (message, part)) in parts.iter().enumerate() {
        if let Some(message) = message {
            for line in message.lines() {
                source += &format!("\n// {line}\n");
            }
        }
        if index > 0 {
            source += "\n&& ";
        }
        source += part;
    }
    if parts.is_empty() {
        source += "true";
    }
    format(&source)
}

fn text(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// A CEL role of OpenBao's JWT method: `cel_program`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenBaoRole {
    /// `variables`: names and expressions, each may use those before it.
    pub variables: Vec<(String, String)>,
    /// `expression`: a `pb.Auth{...}` for those who may log in; a text or `false` for others.
    pub expression: String,
}

impl OpenBaoRole {
    /// The role as a check: true where it would give a `pb.Auth`.
    ///
    /// ```
    /// use stampmill_claim_check::import::OpenBaoRole;
    ///
    /// let imported = OpenBaoRole {
    ///     variables: vec![("admin".to_owned(), "'admin' in claims.roles".to_owned())],
    ///     expression: "admin ? pb.Auth{policies: ['root']} : 'no admin'".to_owned(),
    /// }
    /// .import()?;
    /// assert_eq!(imported.check, "cel.bind(admin, 'admin' in claims.roles, admin)\n");
    /// # Ok::<(), stampmill_claim_check::CompileError>(())
    /// ```
    ///
    /// # Errors
    /// [`CompileError`] of what is no CEL.
    pub fn import(&self) -> Result<Imported, CompileError> {
        let pieces =
            pieces(&self.expression).map_err(|error| error.with_source(&self.expression))?;
        let pieces: Vec<Piece> = pieces.into_iter().filter(|piece| !piece.comment).collect();
        let texts: Vec<&str> = pieces
            .iter()
            .map(|piece| self.expression.get(piece.span.clone()).unwrap_or_default())
            .collect();
        let mut notes = Vec::new();
        let mut source = truth(&texts, &mut notes, 0);
        for (name, expression) in self.variables.iter().rev() {
            format(expression)?;
            source = format!("cel.bind({name}, {expression}\n, {source})");
        }
        Ok(Imported {
            check: format(&source)?,
            notes,
        })
    }
}

/// When an expression gives a message: tokens in, CEL out.
fn truth(texts: &[&str], notes: &mut Vec<String>, level: usize) -> String {
    let plain = || texts.join(" ");
    if level > crate::limits::MAX_DEPTH {
        return plain();
    }
    if let Some((question, colon)) = conditional(texts) {
        let condition = texts[..question].join(" ");
        let yes = truth(&texts[question + 1..colon], notes, level + 1);
        let no = truth(&texts[colon + 1..], notes, level + 1);
        return match (yes.as_str(), no.as_str()) {
            ("true", "false") => condition,
            ("false", "true") => format!("!({condition})"),
            ("false", _) => format!("!({condition}) && ({no})"),
            (_, "false") => format!("({condition}) && ({yes})"),
            _ => format!("({condition}) ? ({yes}) : ({no})"),
        };
    }
    match texts {
        ["(", inner @ .., ")"] if closes_at_end(texts) => truth(inner, notes, level + 1),
        [first] if first.starts_with(['"', '\'']) => "false".to_owned(),
        [name @ .., "}"] if name.contains(&"{") && texts.first() != Some(&"{") => {
            let message: String = name
                .iter()
                .take_while(|text| **text != "{")
                .copied()
                .collect();
            notes.push(format!(
                "what `{message}` grants is left out: a check says yes or no"
            ));
            "true".to_owned()
        }
        _ => plain(),
    }
}

/// The places of the first `?` outside of brackets and of its `:`.
fn conditional(texts: &[&str]) -> Option<(usize, usize)> {
    let (mut depth, mut open, mut question) = (0usize, 0usize, None);
    for (index, text) in texts.iter().enumerate() {
        match *text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            // Behind a dot it selects what may be absent.
            "?" if depth == 0 && index > 0 && texts[index - 1] != "." => {
                open += 1;
                question = question.or(Some(index));
            }
            ":" if depth == 0 && open > 0 => {
                open -= 1;
                if open == 0 {
                    return question.map(|question| (question, index));
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether the bracket at the beginning is closed by the one at the end.
fn closes_at_end(texts: &[&str]) -> bool {
    let mut depth = 0usize;
    let last = texts.len().saturating_sub(1);
    texts.iter().enumerate().all(|(index, text)| {
        match *text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > 0 || index == last
    })
}
