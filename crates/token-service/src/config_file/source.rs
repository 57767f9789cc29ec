//! The text of the file: where a value stands in it, and how one is refused.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use openssl::x509::X509;
use stampmill_claim_check::{ClaimCheck, Type};
use stampmill_jose::Algorithm;
use stampmill_outbound::{Network, Networks};
use toml::Spanned;

use super::ConfigFileError;
use crate::domain::ResponseType;

/// What a word in the file may be, with its meaning.
pub(super) type Words<T> = &'static [(&'static str, T)];

pub(super) const ALGORITHMS: Words<Algorithm> = &[
    ("RS256", Algorithm::Rs256),
    ("PS256", Algorithm::Ps256),
    ("ES256", Algorithm::Es256),
    ("EdDSA", Algorithm::EdDsa),
];

/// The text errors point into.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn refuse(&self, span: Range<usize>, message: &str) -> ConfigFileError {
        ConfigFileError::Refused(self.show(&Level::ERROR, span, message))
    }

    /// A sentence with the line it is about, for the log.
    pub(super) fn warning(&self, span: Range<usize>, message: &str) -> String {
        self.show(&Level::WARNING, span, message)
    }

    fn show(&self, level: &Level<'_>, span: Range<usize>, message: &str) -> String {
        // A secret on the line must not get into a log: the line is shown up to it.
        let shown = redact(self.text);
        let snippet = Snippet::source(shown.as_str())
            .path(self.name)
            .annotation(AnnotationKind::Primary.span(span));
        let group = level.clone().primary_title(message).element(snippet);
        Renderer::plain().render(&[group])
    }

    pub(super) fn word<T: Copy>(
        &self,
        words: Words<T>,
        word: Option<&Spanned<String>>,
    ) -> Result<Option<T>, ConfigFileError> {
        let Some(word) = word else {
            return Ok(None);
        };
        let known = words.iter().find(|(name, _)| name == word.get_ref());
        match known {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let names = words.iter().map(|(name, _)| *name);
                Err(self.refuse(word.span(), &one_of(names)))
            }
        }
    }

    /// A word of a table that is kept elsewhere.
    pub(super) fn named<T>(
        &self,
        word: Option<&Spanned<String>>,
        meaning: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigFileError> {
        let known = |word: &Spanned<String>| {
            let unknown = || self.refuse(word.span(), "this algorithm is not supported");
            meaning(word.get_ref()).ok_or_else(unknown)
        };
        word.map(known).transpose()
    }

    /// Certificates in PEM, of a file beside the configuration.
    pub(super) fn certificates(
        &self,
        file: &Spanned<String>,
    ) -> Result<Vec<X509>, ConfigFileError> {
        let refused = |why: String| self.refuse(file.span(), &why);
        let folder = Path::new(self.name).parent().unwrap_or(Path::new(""));
        let pem = std::fs::read(folder.join(file.get_ref()))
            .map_err(|error| refused(format!("cannot be read: {error}")))?;
        match X509::stack_from_pem(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(refused("there is no certificate in PEM in it".to_owned())),
        }
    }

    pub(super) fn networks(&self, words: &[Spanned<String>]) -> Result<Networks, ConfigFileError> {
        let public = words.iter().any(|word| word.get_ref() == "public");
        let mut networks = match public {
            true => Networks::public(),
            false => Networks::none(),
        };
        for word in words {
            networks = match word.get_ref().as_str() {
                "public" => networks,
                "loopback" => networks.with_loopback(),
                range => {
                    let range = range.parse::<Network>();
                    networks.with(range.map_err(|error| {
                        let message = format!("expected public, loopback or a range: {error}");
                        self.refuse(word.span(), &message)
                    })?)
                }
            };
        }
        Ok(networks)
    }

    pub(super) fn response_types(
        &self,
        words: &[Spanned<String>],
    ) -> Result<Vec<ResponseType>, ConfigFileError> {
        let one = |word: &Spanned<String>| {
            let known = ResponseType::parse(word.get_ref());
            let names = ResponseType::ALL.map(|(_, name)| name);
            known.ok_or_else(|| self.refuse(word.span(), &one_of(names)))
        };
        words.iter().map(one).collect()
    }

    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(
        &self,
        value: Option<&Spanned<String>>,
    ) -> Result<Option<T>, ConfigFileError> {
        value
            .map(|value| {
                let parsed = value.get_ref().parse();
                parsed.map_err(|error: T::Err| self.refuse(value.span(), &error.to_string()))
            })
            .transpose()
    }

    pub(super) fn claim_check(
        &self,
        expression: Option<&Spanned<String>>,
    ) -> Result<Option<ClaimCheck>, ConfigFileError> {
        let Some(expression) = expression else {
            return Ok(None);
        };
        let text = expression.get_ref();
        let check = ClaimCheck::compile(text).map_err(|error| {
            let span = self.inside(expression, error.span());
            self.refuse(span, &error.kind().to_string())
        })?;
        match check.result_type() {
            // What a claim is shows in each token; what is no decision there says no.
            Type::Bool | Type::Dyn => Ok(Some(check)),
            other => {
                let wrong = format!("the claim check is of type {other}, expected bool");
                Err(self.refuse(self.inside(expression, 0..text.len()), &wrong))
            }
        }
    }

    /// A place in a string's value as a place in the file; the whole string where escapes keep the two apart.
    fn inside(&self, string: &Spanned<String>, span: Range<usize>) -> Range<usize> {
        let whole = string.span();
        let written = self.text.get(whole.clone()).unwrap_or_default();
        match written.find(string.get_ref().as_str()) {
            Some(at) => whole.start + at + span.start..whole.start + at + span.end,
            None => whole,
        }
    }
}

pub(super) fn one_of(names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    format!("expected one of {}", names.join(", "))
}

/// The text with the values of keys that sound like a secret crossed out, misspelled ones included; every other byte keeps its
/// place. What follows on the line goes with them, and so do the other lines of a value that has several.
fn redact(text: &str) -> String {
    let mut shown = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let word = rest.len() - rest.trim_start_matches(is_of_key).len();
        let after = at + word;
        let begins_line = text[..at].trim_end_matches([' ', '\t']).ends_with('\n') || at == 0;
        match word > 0
            && sounds_secret(&rest[..word])
            && (begins_line || is_assigned(&text[after..]))
        {
            true => {
                let end = after + length_of_value(&text[after..]);
                let crossed_out = shown[after..end].iter_mut();
                crossed_out
                    .filter(|byte| !b"=\n\r \t".contains(byte))
                    .for_each(|byte| *byte = b'*');
                at = end;
            }
            false => at = after + text[after..].chars().next().map_or(0, char::len_utf8),
        }
    }
    String::from_utf8(shown).expect("whole characters were exchanged for asterisks")
}

fn is_of_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Whether a key that ends here gets a value.
fn is_assigned(after: &str) -> bool {
    after
        .trim_start_matches(['"', '\''])
        .trim_start_matches([' ', '\t'])
        .starts_with('=')
}

fn sounds_secret(word: &str) -> bool {
    const SECRETS: [&str; 3] = ["client_secret", "password", "password_hash"];
    let near = |secret: &&str| strsim::damerau_levenshtein(word, secret) <= 2;
    word.contains("secret") || word.contains("password") || SECRETS.iter().any(near)
}

/// Up to the end of the line that the value ends on, or of the file if it does not end.
fn length_of_value(after: &str) -> usize {
    let start = after.len() - after.trim_start_matches(['"', '\'', '=', ' ', '\t']).len();
    let quotes = &after[..start];
    let (begin, end) = match after[start..].chars().next() {
        _ if quotes.ends_with(r#"""""#) => (start, r#"""""#),
        _ if quotes.ends_with("'''") => (start, "'''"),
        // Of the wrong type, which is refused: a list or a table, over however many lines.
        Some('[') => (start, "]"),
        Some('{') => (start, "}"),
        _ => (start, "\n"),
    };
    let value = after[begin..]
        .find(end)
        .map_or(after.len(), |length| begin + length);
    after[value..]
        .find('\n')
        .map_or(after.len(), |rest| value + rest)
}
