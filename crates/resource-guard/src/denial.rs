//! Why a claim check said no: for the log and the operator, never for the wire.
//!
//! A check is a sentence about claims, and "no" says nothing of which part of it failed. So a refusal evaluates the check once
//! more, by the interpreter that watches itself, and keeps the part that decided. What it keeps is made of the expression alone
//! (which is configuration), and of the names of claims; what the token says of a person is in it only if it was asked for.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use stampmill_claim_check::{Bindings, ClaimCheck, Context, EvalError, Explanation};

/// A claim check that did not say `true`, and why. [`Display`] says it in a sentence without a single value of a claim.
///
/// ```
/// use stampmill_claim_check::ClaimCheck;
/// use stampmill_resource_guard::Denial;
///
/// let check = ClaimCheck::compile("claims.exp > now && 'ops' in claims.roles")?;
/// let denied = |claims: &[u8]| Denial::of(&check, claims, 0).map(|denial| denial.to_string());
/// assert_eq!(denied(br#"{"exp":60,"roles":["ops"]}"#), None);
/// assert_eq!(
///     denied(br#"{"exp":60,"roles":["dev"]}"#).as_deref(),
///     Some("the claim check `claims.exp > now && 'ops' in claims.roles` is false: decided by `'ops' in claims.roles`"),
/// );
/// assert_eq!(
///     denied(br#"{"exp":60}"#).as_deref(),
///     Some(
///         "the claim check `claims.exp > now && 'ops' in claims.roles` cannot be evaluated: \
///          no such key: `claims.roles` (at byte 29 of the expression); there is no `claims.roles`"
///     ),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    check: String,
    error: Option<EvalError>,
    decided: Option<(String, Range<usize>)>,
    absent: Option<String>,
    values: Option<Box<Explanation>>,
}

impl Denial {
    /// Asks a check about claims (the UTF-8 JSON of an object): `None` if it says `true`.
    ///
    /// `now` is in seconds since 1970-01-01T00:00:00Z. A check that says yes costs one evaluation of machine code; one that says no, an
    /// evaluation by the interpreter more.
    #[must_use]
    pub fn of(check: &ClaimCheck, claims: &[u8], now: i64) -> Option<Denial> {
        Denial::judge(check, claims, now, false)
    }

    /// The same, keeping what every part of the expression gave: [`Denial::values`].
    #[must_use]
    pub fn with_values(check: &ClaimCheck, claims: &[u8], now: i64) -> Option<Denial> {
        Denial::judge(check, claims, now, true)
    }

    fn judge(check: &ClaimCheck, claims: &[u8], now: i64, values: bool) -> Option<Denial> {
        let error = match check.decide(claims, &Context { now }) {
            Ok(true) => return None,
            Ok(false) => None,
            Err(error) => Some(error),
        };
        // Claims that are no JSON object have no explanation but the error.
        let explanation = check.explain(&Bindings::new(claims, now)).ok();
        let decided = explanation.as_ref().map(|explanation| {
            let step = explanation.decided();
            (step.text.clone(), step.span.clone())
        });
        let absent = explanation.as_ref().and_then(Explanation::absent_claim);
        Some(Denial {
            check: check.source().to_owned(),
            error,
            decided,
            absent: absent.map(str::to_owned),
            values: explanation.filter(|_| values).map(Box::new),
        })
    }

    /// The source of the check.
    #[must_use]
    pub fn check(&self) -> &str {
        &self.check
    }

    /// Why it could not be evaluated; `None` if it was, and is false.
    #[must_use]
    pub fn error(&self) -> Option<&EvalError> {
        self.error.as_ref()
    }

    /// The smallest part of the check that made it say no, and its place in the source, in bytes.
    #[must_use]
    pub fn decided_by(&self) -> Option<(&str, Range<usize>)> {
        let (text, span) = self.decided.as_ref()?;
        Some((text, span.clone()))
    }

    /// The claim that the check wanted and the token does not have, if that is the error: `claims.roles`.
    #[must_use]
    pub fn absent_claim(&self) -> Option<&str> {
        self.absent.as_deref()
    }

    /// What every part gave, where that was asked for. It holds what the token says: of a person, perhaps.
    #[must_use]
    pub fn values(&self) -> Option<&Explanation> {
        self.values.as_deref()
    }
}

impl Display for Denial {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the claim check `{}` ", self.check)?;
        match (&self.error, &self.decided) {
            (Some(error), _) => write!(f, "cannot be evaluated: {error}")?,
            (None, Some((part, _))) if *part != self.check => {
                write!(f, "is false: decided by `{part}`")?;
            }
            (None, _) => f.write_str("is false")?,
        }
        match &self.absent {
            Some(claim) => write!(f, "; there is no `{claim}`"),
            None => Ok(()),
        }
    }
}
