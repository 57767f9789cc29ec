//! What holds for the whole authority: the rules that it follows, and where others find its lists.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::base_url::BaseUrl;
use crate::profile::RuleSet;

impl Store {
    pub(crate) fn set_settings(
        &self,
        rules: RuleSet,
        base_url: Option<&BaseUrl>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut insert = transaction
                .prepare("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?;
            insert.execute(params!["rules", rules.name()])?;
            match base_url {
                Some(base_url) => insert.execute(params!["base_url", base_url.as_str()])?,
                None => transaction.execute("DELETE FROM setting WHERE name = 'base_url'", [])?,
            };
            Ok(())
        })
    }

    pub(crate) fn settings(&self) -> Result<(RuleSet, Option<BaseUrl>), StoreError> {
        let setting = |name: &str| {
            self.read(|connection| {
                connection
                    .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| {
                        row.get::<_, String>(0)
                    })
                    .optional()
            })
        };
        let odd = |name: &str| StoreError::Database {
            path: self.path.clone(),
            reason: format!("the setting {name} cannot be read"),
        };
        let rules = setting("rules")?.map_or(Ok(RuleSet::default()), |text| {
            text.parse().map_err(|_| odd("rules"))
        })?;
        let base_url = setting("base_url")?
            .map(|text| text.parse().map_err(|_| odd("base_url")))
            .transpose()?;
        Ok((rules, base_url))
    }
}
