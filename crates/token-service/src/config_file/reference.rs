//! The reference page (docs/configuration.md) and the parser name the same tables, keys, words and bounds.

use serde::de::value::Error;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::client::{self, ClientTable};
use super::source::ALGORITHMS;
use super::tables::{
    self, AuthorityTable, LifetimesTable, RegistrationTable, ResourceTable, UserTable,
};
use super::*;

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// Asks a table for the names of its keys, as serde's derive has them.
struct Keys(Vec<&'static str>);

impl<'de> Deserializer<'de> for &mut Keys {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0 = keys.to_vec();
        Err(Error::custom("the names are all that is wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a table is a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn keys_of<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
    let mut keys = Keys(Vec::new());
    assert!(T::deserialize(&mut keys).is_err());
    keys.0
}

/// The cells of the rows below a heading.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = PAGE
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn key<'a>(row: &[&'a str]) -> &'a str {
    row[0].trim_matches('`')
}

#[test]
fn page_and_parser_name_the_same_keys_in_the_same_order() {
    let top = keys_of::<File>();
    let tables = [
        "registration",
        "authority",
        "lifetimes",
        "resources",
        "clients",
        "users",
    ];
    let (tables_there, values): (Vec<_>, Vec<_>) =
        top.into_iter().partition(|key| tables.contains(key));
    assert_eq!(tables_there, tables);
    for (heading, keys) in [
        ("Top level", values),
        ("`[registration]`", keys_of::<RegistrationTable>()),
        ("`[authority]`", keys_of::<AuthorityTable>()),
        ("`[lifetimes]`", keys_of::<LifetimesTable>()),
        ("`[[resources]]`", keys_of::<ResourceTable>()),
        ("`[[clients]]`", keys_of::<ClientTable>()),
        ("`[[users]]`", keys_of::<UserTable>()),
    ] {
        let on_the_page: Vec<&str> = rows(heading).iter().map(|row| key(row)).collect();
        assert_eq!(on_the_page, keys, "{heading}");
    }
}

#[test]
fn page_and_parser_name_the_same_words() {
    fn names<T>(words: Words<T>) -> Vec<&'static str> {
        words.iter().map(|(name, _)| *name).collect()
    }
    let response_types = ResponseType::ALL.map(|(_, name)| name).to_vec();
    let grants = crate::domain::GrantType::ALL.map(|(_, name)| name).to_vec();
    for (heading, name, words) in [
        ("Top level", "signer", names(SIGNERS)),
        ("Top level", "store", names(STORES)),
        ("Top level", "pkce", names(PKCE)),
        ("`[registration]`", "access", names(tables::ACCESS)),
        ("`[registration]`", "response_types", response_types.clone()),
        ("`[[resources]]`", "format", names(tables::FORMATS)),
        ("`[[resources]]`", "signing_alg", names(ALGORITHMS)),
        (
            "`[[clients]]`",
            "token_endpoint_auth_method",
            names(client::AUTH_METHODS),
        ),
        (
            "`[[clients]]`",
            "application_type",
            names(client::APPLICATIONS),
        ),
        ("`[[clients]]`", "grant_types", grants),
        ("`[[clients]]`", "response_types", response_types),
        (
            "`[[clients]]`",
            "subject_type",
            names(client::SUBJECT_TYPES),
        ),
        (
            "`[[clients]]`",
            "userinfo_signed_response_alg",
            names(ALGORITHMS),
        ),
        (
            "`[[clients]]`",
            "id_token_signed_response_alg",
            names(ALGORITHMS),
        ),
    ] {
        let rows = rows(heading);
        let row = rows.iter().find(|row| key(row) == name).unwrap();
        let mut on_the_page: Vec<&str> = row[3]
            .split('`')
            .filter_map(|word| word.strip_prefix('"')?.strip_suffix('"'))
            .collect();
        let mut words = words;
        on_the_page.sort_unstable();
        words.sort_unstable();
        assert_eq!(on_the_page, words, "{heading} {name}");
    }
}

#[test]
fn lifetimes_have_the_defaults_and_bounds_of_the_page() {
    let policy = |toml: &str| ConfigFile::parse("id.toml", toml).map(|file| file.settings.policy);
    for row in rows("`[lifetimes]`") {
        let with = |seconds: i64| policy(&format!("[lifetimes]\n{} = {seconds}\n", key(&row)));
        let number = |cell: usize| row[cell].parse::<i64>().unwrap();
        let (default, least, most) = (number(1), number(2), number(3));
        assert_eq!(with(default).unwrap(), Policy::strict(), "{row:?}");
        for good in [least, most] {
            assert!(with(good).is_ok(), "{good} {row:?}");
        }
        for bad in [least - 1, most + 1] {
            assert!(with(bad).is_err(), "{bad} {row:?}");
        }
    }
}

#[test]
fn the_example_of_the_page_is_read() {
    let blocks: Vec<&str> = PAGE.split("\n```toml\n").skip(1).collect();
    let [example] = blocks[..] else {
        panic!("one example")
    };
    let (example, _) = example.split_once("\n```").unwrap();
    let file = ConfigFile::parse("example.toml", example).unwrap();
    let settings = &file.settings;
    assert_eq!(
        (
            settings.clients.len(),
            settings.users.len(),
            settings.resources.len()
        ),
        (3, 1, 1)
    );
    settings.check_alone().unwrap();
    let server = Server::check(file.listen, file.listen_plain, file.issuer.as_deref());
    server.unwrap();
}
