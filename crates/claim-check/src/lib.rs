//! Claim checks: questions about a token's claims in CEL, answered by machine code.
//!
//! A resource server wants to say "`exp` lies ahead, and the caller has the role `ops`" in its configuration, not in its
//! source. The Common Expression Language (CEL, <https://cel.dev>) was made for that: no loops but over lists and maps, no side effects,
//! well-defined errors. This crate implements it from the text to the processor:
//!
//! ```text
//!  source ──▶ syntax ───────▶ checker ──────▶ fold ──┬─▶ interpreter ───────────────▶ value or error
//!             lexer, Pratt    types, schema   constant│   (the reference)               ▲   must be equal, the cost too
//!             parser, names,  of claims,      parts   └─▶ jit: CLIF ─▶ Cranelift ─▶ code┘
//!             recovery        warnings                                   called with the claims
//!  payload ─▶ claims-json (strict), one pass ─▶ slots ───────────────────────┘
//! ```
//!
//! Beside them: [`ClaimCheck::explain`] says which part decided, [`ClaimCheck::residual`] what remains when some claims are known,
//! [`ClaimCheck::worst_case_cost`] what a policy can cost, [`ClaimCheck::warnings`] what is probably not meant; [`format()`] formats,
//! [`import`] takes rules from Kubernetes and OpenBao, [`Repl`] is a session. An [`Environment`] declares variables and types.
//!
//! # The language here
//! * Literals: int (`42`, `0x2a`), uint (`42u`), double, string (`"a"`, `'a'`, `"""a"""`, `r"a"`, all escapes of CEL), bool,
//!   null, bytes (`b"\xff"`), lists, maps (`{"a": 1, 2: true}`).
//! * `claims` is the payload, `now` the time in seconds since the epoch. `claims.a.b`, `claims["a"]`, ``claims.`a-b` ``, `list[0]`.
//! * `== != < <= > >= && || ! in + - * / %`, `c ? a : b`, `has(claims.a)`, `size()`, `startsWith()`, `endsWith()`, `contains()`.
//! * `int() uint() double() bool() string() bytes() dyn() type()`; names of types as values: `type(claims.aud) == list`.
//! * `matches()`: RE2's regular expressions in linear time; a literal one is compiled once, with the expression.
//! * Macros over lists and maps: `all`, `exists`, `exists_one`, `map`, `filter`; with two variables (index and element, key and
//!   value) `all`, `exists`, `existsOne`, `transformList`, `transformMap`.
//! * `timestamp()`, `duration()`, their arithmetic and order, `getFullYear()` to `getMilliseconds()`, in UTC or a zone:
//!   `timestamp(now).getHours("Europe/Berlin")`.
//! * The strings extension: `charAt format indexOf join lastIndexOf lowerAscii replace reverse split substring trim
//!   upperAscii`, `strings.quote()`.
//! * The math extension: `math.greatest() math.least()` and the rest; `base64.encode()`, `base64.decode()`;
//!   `cel.bind(name, value, expression)`.
//! * IP addresses and networks: `ip() isIP() cidr() isCIDR()`, `cidr("10.0.0.0/8").containsIP(claims.ip)` and the rest.
//! * Optional values: `claims.?email.orValue("")`, `list[?0]`, `[a, ?b]`, `{?"k": v}`, `optional.of()`, `optMap()` and the rest.
//! * The lists and sets extensions: `sort() sortBy() distinct() flatten() slice() reverse() first() last()`, `lists.range()`,
//!   `sets.contains() sets.equivalent() sets.intersects()`; `cel.block()`, whose values are evaluated once, in their order.
//! * Protobuf messages and enums: an error that says so.
//!
//! [`reference()`] lists every operator, function and macro with its types; `stampmill check functions` prints it.
//!
//! # Meaning, where it may surprise
//! * **A missing claim is an error, not false**: `claims.admin == true` has no result for a token without `admin`. Ask
//!   `has(claims.admin)` first.
//! * `&&` and `||` look for an operand that decides, on either side: `false && error` and `error && false` are both false.
//! * Where types are known they must fit before anything runs: `claims.exp == "1"` does not compile, nor does `1 == 1.0`, as in cel-go.
//!   Where they show only when it runs, `1 == 1.0` is true, `1 == "1"` is false, and `1 + 1.0` is an error.
//! * The types of registered claims are their specifications' promise. A token that breaks it is met by an error when it is read.
//! * `all` and `exists` are `&&` and `||` over the elements: an element that decides makes them forget the errors of others.
//! * Integers do not wrap: overflow is an error.
//! * An integral JSON number is an int (`"exp": 1700000000`), from 2^63 on a uint, any other a double; one beyond 64 bits makes the payload unreadable. (The specification maps all JSON numbers
//!   to double; then `claims.exp - 900` would be an error. Kubernetes binds ints too.)
//!
//! # Where to look
//! Begin with `check.rs`: [`ClaimCheck::compile`] walks the picture above from left to right. Then `syntax/` (text to tree), `checker/`
//! (types and warnings), `fold.rs`, `interpreter.rs` (what an expression means), `jit/` (the same as machine code; `native.rs` runs it,
//! `codegen/` writes it), `slots.rs` (which claims are read), `cost.rs` and `worst_case.rs`.
//!
//! # Limits
//! Source, tree, depth and memory are bounded ([`limits`]), and the cost of an evaluation by the model that cel-go publishes, with
//! Kubernetes' limit of 1,000,000: a comparison costs 1, a text a tenth of its length, an element of a macro what its body costs.
//!
//! # Example
//! ```
//! use stampmill_claim_check::{ClaimCheck, Context, Show, Value};
//!
//! let check = ClaimCheck::compile("claims.exp - now")?;
//! let payload = br#"{"exp":1700000060}"#;
//! let context = Context { now: 1_700_000_000 };
//! assert_eq!(check.evaluate(payload, &context)?, Value::Int(60));
//! assert_eq!(check.interpret(payload, &context)?, Value::Int(60));
//! assert_eq!(check.show(Show::Ast), "\
//! ##3       0..16  -
//! ##1       0..10    .exp
//! ##0        0..6      claims
//! ##2      13..16    now
//! ".replace("##", "#"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod check;
mod checker;
mod collections;
mod convert;
mod cost;
mod diagnostic;
mod environment;
mod error;
mod explain;
mod fold;
mod format;
mod format_source;
mod function;
pub mod import;
mod interpreter;
mod item;
mod jit;
pub mod limits;
mod map;
mod math;
mod network;
mod optional;
mod partial;
mod pattern;
mod reference;
mod repl;
mod semantics;
mod shared;
mod slots;
mod strings;
mod syntax;
mod time;
mod types;
mod value;
mod worst_case;

pub use check::{BoundClaims, ClaimCheck, Context, Show};
pub use checker::Type;
pub use diagnostic::{CompileError, CompileErrorKind, Diagnostic, Warning, WarningKind};
pub use environment::{Bindings, Environment, FunctionDeclaration, OverloadDeclaration};
pub use error::{ErrorKind, EvalError};
pub use explain::{Explanation, Step};
pub use format_source::format;
pub use partial::Residual;
pub use reference::{Entry, reference};
pub use repl::{Repl, Reply};
pub use value::Value;

pub use stampmill_claims_json::Buffers;
