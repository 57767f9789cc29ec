//! Breaking a good request in one place or more: its method, path, parameters, headers and body, and the JSON and JWTs in them.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stampmill_jose::{SigningKey, base64url};

use super::dice::Dice;
use super::judge::MARK;
use super::requests;

/// A request that is still open to change.
pub(super) struct Draft {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(Vec<u8>, Piece)>,
    pub(super) headers: Vec<(String, Piece)>,
    pub(super) body: Vec<(Vec<u8>, Piece)>,
    /// A body of JSON, in place of `body`.
    pub(super) json: Option<Piece>,
    /// The secrets in it, which no answer repeats.
    pub(super) told: Vec<String>,
}

/// A value, as far as it has parts.
#[derive(Clone)]
pub(super) enum Piece {
    /// Encoded where it stands in a query or a form.
    Text(Vec<u8>),
    /// Put there as it is.
    Raw(Vec<u8>),
    Json(Value),
    Jwt(Jwt),
}

/// A JWT before it is signed.
#[derive(Clone)]
pub(super) struct Jwt {
    header: Value,
    claims: Value,
    key: Arc<SigningKey>,
}

impl Piece {
    pub(super) fn text(text: impl Into<String>) -> Piece {
        Piece::Text(text.into().into_bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Piece::Text(bytes) | Piece::Raw(bytes) => bytes.clone(),
            Piece::Json(value) => value.to_string().into_bytes(),
            Piece::Jwt(jwt) => jwt.render().into_bytes(),
        }
    }

    fn encoded(&self) -> Vec<u8> {
        match self {
            Piece::Raw(bytes) => bytes.clone(),
            other => encode(&other.bytes()),
        }
    }
}

impl Jwt {
    pub(super) fn new(header: Value, claims: Value, key: &Arc<SigningKey>) -> Jwt {
        Jwt {
            header,
            claims,
            key: Arc::clone(key),
        }
    }

    pub(super) fn render(&self) -> String {
        let bytes = |value: &Value| value.to_string().into_bytes();
        self.key
            .sign_compact(&bytes(&self.header), &bytes(&self.claims))
            .unwrap()
    }
}

fn encode(bytes: &[u8]) -> Vec<u8> {
    form_urlencoded::byte_serialize(bytes)
        .collect::<String>()
        .into_bytes()
}

fn encoded(pairs: &[(Vec<u8>, Piece)]) -> Vec<u8> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| [&**name, b"=", &value.encoded()].concat())
        .collect();
    pairs.join(&b'&')
}

impl Draft {
    /// As it goes out; `None` if no HTTP request can be that.
    pub(super) fn render(&self) -> Option<Sent> {
        let query = encoded(&self.query);
        let mut target = self.path.clone().into_bytes();
        if !query.is_empty() {
            target.push(b'?');
            target.extend(query);
        }
        let body = match &self.json {
            Some(json) => json.bytes(),
            None => encoded(&self.body),
        };
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.bytes()))
            .collect();
        let sent = Sent {
            method: self.method.clone(),
            target,
            headers,
            body,
            told: self.secrets(),
        };
        sent.build().is_some().then_some(sent)
    }

    /// What was told as a secret, and not (a password typed as a name) where what is typed is shown again.
    fn secrets(&self) -> Vec<String> {
        const SHOWN_AGAIN: [&[u8]; 4] = [b"username", b"login_hint", b"user_code", b"state"];
        let pairs = self.query.iter().chain(&self.body);
        let shown = pairs.filter(|(name, _)| SHOWN_AGAIN.contains(&&**name));
        let shown: Vec<String> = shown
            .map(|(_, value)| String::from_utf8_lossy(&value.bytes()).into_owned())
            .collect();
        let kept = self.told.iter();
        let kept = kept.filter(|secret| !shown.iter().any(|text| text.contains(secret.as_str())));
        kept.cloned().collect()
    }
}

/// A request that was sent.
pub(super) struct Sent {
    pub(super) method: String,
    target: Vec<u8>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) told: Vec<String>,
}

impl Sent {
    fn build(&self) -> Option<Request<Body>> {
        let mut request = Request::builder().method(&*self.method).uri(&*self.target);
        for (name, value) in &self.headers {
            request = request.header(&**name, &**value);
        }
        request.body(Body::from(self.body.clone())).ok()
    }

    pub(super) fn request(&self) -> Request<Body> {
        self.build().expect("it was built before")
    }

    pub(super) fn path(&self) -> &str {
        let target = std::str::from_utf8(&self.target).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| {
            let text: String = bytes.escape_ascii().to_string();
            if text.len() > 2000 {
                format!("{}… ({} bytes)", &text[..2000], bytes.len())
            } else {
                text
            }
        };
        writeln!(f, "{} {}", self.method, text(&self.target))?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", text(value))?;
        }
        writeln!(f, "\n{}", text(&self.body))
    }
}

// ---- ways to break it ----------------------------------------------------------------------------------------------

/// Breaks one thing.
#[rustfmt::skip]
pub(super) fn mutate(draft: &mut Draft, dice: &mut Dice) {
    match dice.below(20) {
        0      => draft.method = (dice.pick(&["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "PROPFIND"])).into(),
        1      => path(draft, dice),
        2..=4  => header(draft, dice),
        5      => body(draft, dice),
        6..=12 => pair(draft, dice),
        _      => value(draft, dice),
    }
}

fn path(draft: &mut Draft, dice: &mut Dice) {
    let path = &draft.path;
    draft.path = match dice.below(8) {
        0 => format!("{path}/"),
        1 => format!("/{path}"),
        2 => path.to_uppercase(),
        3 => format!("{path}/%ff%00"),
        4 => format!(
            "/register/{}",
            dice.pick(&[
                "%ff",
                "%00",
                "..",
                "%2e%2e%2f",
                "a%2fb",
                "%F0%9F%98%80",
                "<script>",
                "%",
                "x y"
            ])
        ),
        5 => format!("{path}/../token"),
        6 => format!("/register/{}", "x".repeat(5000)),
        _ => dice.pick(requests::ALL).path().replace(['{', '}'], ""),
    };
}

fn header(draft: &mut Draft, dice: &mut Dice) {
    const NAMES: [&str; 18] = [
        "authorization",
        "dpop",
        "cookie",
        "accept",
        "content-type",
        "content-length",
        "origin",
        "sec-fetch-site",
        "if-none-match",
        "host",
        "x-forwarded-host",
        "accept-language",
        "referer",
        "user-agent",
        "access-control-request-method",
        "transfer-encoding",
        "expect",
        "range",
    ];
    let there = draft.headers.len();
    match dice.below(5) {
        0 if there > 0 => {
            draft.headers.remove(dice.below(there));
        }
        1 if there > 0 => {
            let twice = draft.headers[dice.below(there)].clone();
            draft.headers.push(twice);
        }
        2 if there > 0 => {
            let which = dice.below(there);
            let (name, value) = &mut draft.headers[which];
            *value = if dice.one_in(2) {
                header_value(name, dice)
            } else {
                torn(value, dice)
            };
        }
        _ => {
            let name = dice.pick(&NAMES);
            let value = header_value(name, dice);
            draft.headers.push((name.into(), value));
        }
    }
}

fn header_value(name: &str, dice: &mut Dice) -> Piece {
    // Bytes beyond ASCII are legal in a header, and no text (RFC 9110 §5.5).
    if dice.one_in(4) {
        return Piece::Raw(b"Bearer \xff\xfe; q=\x80".to_vec());
    }
    let base64 = |text: &str| base64_simd::STANDARD.encode_to_string(text);
    let known = match name {
        "authorization" => match dice.below(12) {
            0 => "Basic".into(),
            1 => "Basic !!!".into(),
            2 => format!("Basic {}", base64("web")),
            3 => format!("Basic {}", base64("web:wrong")),
            4 => format!("Basic {}", base64("%zz:%ff")),
            5 => format!("Basic {}", base64(&format!("{MARK}:{MARK}"))),
            6 => format!("bearer {}", "a.".repeat(dice.below(30_000))),
            7 => "Bearer ".into(),
            8 => "Bearer a b".into(),
            9 => format!("DPoP {MARK}"),
            10 => format!("Basic {}", "A".repeat(dice.below(60_000))),
            _ => "Negotiate YII".into(),
        },
        "dpop" => match dice.below(4) {
            0 => "e30.e30.".into(),
            1 => ".".repeat(dice.below(20_000)),
            2 => format!(
                "{}.{}.AAAA",
                base64url::encode(
                    r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}"#
                ),
                base64url::encode("{}")
            ),
            _ => MARK.into(),
        },
        "cookie" => match dice.below(4) {
            0 => "__Host-stampmill-session".into(),
            1 => format!(
                "__Host-stampmill-session={}; __Host-stampmill-browser={}",
                "A".repeat(43),
                "é".repeat(20)
            ),
            2 => "=;=;;=".repeat(dice.below(5000)),
            _ => format!("a={MARK}; __Host-stampmill-session={MARK}"),
        },
        "accept" => (dice.pick(&[
            "application/token-introspection+jwt",
            "*/*;q=",
            "text/html",
            ",,,;;",
            "application/jwt",
        ]))
        .into(),
        "content-type" => (dice.pick(&[
            "application/json",
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=utf-16",
            "multipart/form-data; boundary=x",
            "text/plain",
            "",
            ";",
            "APPLICATION/JSON ; x=\"",
            "application/xml",
        ]))
        .into(),
        "content-length" => (dice.pick(&["0", "-1", "18446744073709551616", "1e3"])).into(),
        "sec-fetch-site" => (dice.pick(&["cross-site", "none", "same-site", ""])).into(),
        "if-none-match" => (dice.pick(&["*", "W/\"x\"", "\"", ",", "W/*"])).into(),
        _ => return Piece::Raw(nasty(dice)),
    };
    Piece::text(known)
}

fn body(draft: &mut Draft, dice: &mut Dice) {
    let now = match &draft.json {
        Some(json) => json.bytes(),
        None => encoded(&draft.body),
    };
    let broken = match dice.below(9) {
        0 => now[..dice.below(now.len())].to_vec(),
        1 => [now.as_slice(), b"&", &now].concat(),
        2 => vec![0; dice.below(5000)],
        3 => vec![b'a'; 70_000],
        4 => "[".repeat(dice.below(60_000)).into_bytes(),
        5 => br#"{"redirect_uris": ["https://client.example/cb"], "redirect_uris": []}"#.to_vec(),
        6 => [b"\xef\xbb\xbf".as_slice(), &now].concat(),
        7 => {
            std::mem::swap(&mut draft.query, &mut draft.body);
            return;
        }
        _ => {
            let mut torn = now;
            if !torn.is_empty() {
                let at = dice.below(torn.len());
                torn[at] = dice.pick(&[0, 0xff, b'%', b'&', b'=', b'"', b'+', b'\n']);
            }
            torn
        }
    };
    draft.json = Some(Piece::Raw(broken));
}

/// A parameter that is missing, twice, unknown, another's, or of another request.
fn pair(draft: &mut Draft, dice: &mut Dice) {
    let pairs = if draft.body.is_empty() || dice.one_in(10) {
        &mut draft.query
    } else {
        &mut draft.body
    };
    let there = pairs.len();
    match dice.below(7) {
        0 | 1 if there > 0 => {
            pairs.remove(dice.below(there));
        }
        2 if there > 0 => {
            let mut twice = pairs[dice.below(there)].clone();
            if dice.one_in(2) {
                twice.1 = Piece::Text(nasty(dice));
            }
            pairs.insert(dice.below(there), twice);
        }
        3 if there > 1 => {
            let (one, other) = (dice.below(there), dice.below(there));
            let value = pairs[one].1.clone();
            pairs[other].1 = value;
        }
        4 if there > 0 => {
            let which = dice.below(there);
            pairs[which].0 = nasty(dice)
                .into_iter()
                .filter(|byte| !b"&=".contains(byte))
                .collect();
        }
        5 if dice.one_in(4) => {
            for number in 0..dice.below(300) {
                pairs.push((format!("p{number}").into(), Piece::text("1")));
            }
        }
        _ => {
            let name = known_name(dice);
            let value = if dice.one_in(2) {
                Piece::text(dice.pick(WORDS))
            } else {
                Piece::Text(nasty(dice))
            };
            pairs.push((name.into(), value));
        }
    }
}

/// The name of a parameter of some request of the table, or one that only bad requests have.
fn known_name(dice: &mut Dice) -> &'static str {
    const MORE: [&str; 12] = [
        "client_secret",
        "client_assertion",
        "request",
        "request_uri",
        "registration",
        "response_mode",
        "prompt",
        "audience",
        "dpop_jkt",
        "user_code",
        "access_token",
        "id_token_hint",
    ];
    let row = dice.pick(requests::ALL);
    let of_body = match row.body {
        requests::Content::Form(form) => form,
        _ => "",
    };
    let names: Vec<_> = row
        .query()
        .split('&')
        .chain(of_body.split('&'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, _)| name)
        .collect();
    dice.pick(if names.is_empty() { &MORE } else { &names })
}

/// Values that mean something somewhere.
const WORDS: &[&str] = &[
    "",
    "web",
    "native",
    "machine",
    "signer",
    "nobody",
    "code",
    "none",
    "login",
    "consent",
    "select_account",
    "S256",
    "plain",
    "openid",
    "offline_access",
    "authorization_code",
    "client_credentials",
    "refresh_token",
    "password",
    "implicit",
    "fragment",
    "form_post",
    "query",
    "jwt",
    "0",
    "-1",
    "1",
    "https://client.example/cb",
    "http://127.0.0.1:0/callback",
    "https://vault.example",
    "https://inside.example/object",
    "urn:x:y",
    "{}",
    "[]",
    "null",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "urn:ietf:params:oauth:request_uri:x",
    "e30.e30.",
    "eyJhbGciOiJub25lIn0.e30.",
    "alice",
    "BCDF-GHJK",
];

/// A value that is broken in itself.
fn value(draft: &mut Draft, dice: &mut Dice) {
    let in_body = draft.body.len();
    let in_query = draft.query.len();
    let of_jwt = draft
        .headers
        .iter()
        .position(|(_, value)| matches!(value, Piece::Jwt(_)));
    let piece = match (&mut draft.json, of_jwt) {
        (Some(json), _) => json,
        (None, Some(which)) if dice.one_in(2) => &mut draft.headers[which].1,
        _ if in_body > 0 => &mut draft.body[dice.below(in_body)].1,
        _ if in_query > 0 => &mut draft.query[dice.below(in_query)].1,
        _ => return header(draft, dice),
    };
    match piece {
        Piece::Json(value) if !dice.one_in(8) => json(value, dice),
        Piece::Jwt(jwt) if !dice.one_in(6) => {
            let part = if dice.one_in(4) {
                &mut jwt.header
            } else {
                &mut jwt.claims
            };
            json(part, dice);
        }
        other => {
            *other = if dice.one_in(2) {
                Piece::Text(nasty(dice))
            } else {
                torn(other, dice)
            }
        }
    }
}

/// Cut, grown, or with one byte changed.
fn torn(piece: &Piece, dice: &mut Dice) -> Piece {
    let mut bytes = piece.bytes();
    match dice.below(5) {
        0 => bytes.truncate(dice.below(bytes.len())),
        1 => bytes.extend(nasty(dice)),
        2 => bytes.insert(0, b' '),
        3 if !bytes.is_empty() => {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
        _ => bytes.make_ascii_uppercase(),
    }
    Piece::Text(bytes)
}

fn nasty(dice: &mut Dice) -> Vec<u8> {
    match dice.below(16) {
        0 => Vec::new(),
        1 => b"\0".to_vec(),
        2 => b"\xff\xfe\xc0\x80".to_vec(),
        3 => vec![b'x'; dice.below(50_000)],
        4 => "é\u{202e}\u{1f600}\u{fffd}".into(),
        5 => format!("\"><script>{MARK}</script>").into(),
        6 => format!("{MARK}\r\nset-cookie: a=b").into(),
        7 => b"' OR 1=1 --".to_vec(),
        8 => b"%00%ff%zz%".to_vec(),
        9 => b"99999999999999999999999".to_vec(),
        10 => b"-9223372036854775808".to_vec(),
        11 => "[".repeat(dice.below(3000)).into(),
        12 => "{\"a\":".repeat(dice.below(3000)).into(),
        13 => b" \t ".to_vec(),
        14 => (0..dice.below(40)).map(|_| dice.below(256) as u8).collect(),
        _ => dice.pick(WORDS).as_bytes().to_vec(),
    }
}

/// Replaces, removes, adds or nests something somewhere in a JSON value.
fn json(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(members) if !members.is_empty() && !dice.one_in(10) => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = &names[dice.below(names.len())];
            match dice.below(5) {
                0 => drop(members.remove(name)),
                1 => drop(members.insert(known_name(dice).to_owned(), strange(dice))),
                _ => json(members.get_mut(name).expect("it is there"), dice),
            }
        }
        Value::Array(list) if !list.is_empty() && dice.one_in(2) => {
            let which = dice.below(list.len());
            json(&mut list[which], dice);
        }
        other => *other = strange(dice),
    }
}

fn strange(dice: &mut Dice) -> Value {
    match dice.below(18) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(u64::MAX),
        5 => json!(1e308),
        6 => json!(1.5),
        7 => json!([]),
        8 => json!({}),
        9 => json!(i64::MIN),
        10 => (0..dice.below(200)).fold(json!(1), |inner, _| json!([inner])),
        11 => json!(vec!["https://client.example/cb"; dice.below(2000)]),
        12 => json!("x".repeat(dice.below(10_000))),
        13 => json!([[], {}, null, 1, "x"]),
        14 => json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}),
        _ => json!(String::from_utf8_lossy(&nasty(dice))),
    }
}
