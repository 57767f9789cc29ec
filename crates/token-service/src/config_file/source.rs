//! The text of the file: where a value stands in it, and how one is refused.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use openssl::x509::X509;
use stampmill_claim_check::ClaimCheck;
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
        // A secret on the line must not get into a log: the line is shown up to it.
        let shown = redact(self.text);
        let snippet = Snippet::source(shown.as_str())
            .path(self.name)
            .annotation(AnnotationKind::Primary.span(span));
        let group = Level::ERROR.primary_title(message).element(snippet);
        ConfigFileError::Refused(Renderer::plain().render(&[group]))
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
        ClaimCheck::compile(expression.get_ref())
            .map(Some)
            .map_err(|error| {
                let span = self.inside(expression, error.span());
                self.refuse(span, &error.kind().to_string())
            })
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

/// The text with the values of `client_secret` and `password_hash` crossed out; every other byte keeps its place.
fn redact(text: &str) -> String {
    let hide = |line: &str| match line.split_once('=') {
        Some((name, value)) if name.contains("client_secret") || name.contains("password") => {
            let hidden: String = value
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { '*' })
                .collect();
            format!("{name}={hidden}")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(hide).collect()
}
