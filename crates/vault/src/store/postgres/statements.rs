//! The statements, with the tables' prefix put in once. The prefix is checked; everything else is
//! bound. No write reads `bytes`, so a role may write that must not read.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

/// Statements for tables of one prefix.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    prefix: Arc<str>,
}

/// `$name` is the template with `{p}` replaced.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $text:expr;)+) => {
        impl Statements {$(
            $(#[$doc])*
            pub(super) fn $name(&self) -> AssertSqlSafe<String> {
                AssertSqlSafe(self.with_prefix($text))
            }
        )+}
    };
}

impl Statements {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    pub(super) fn with_prefix(&self, template: &str) -> String {
        template.replace("{p}", &self.prefix)
    }
}

statements! {
    /// The environment the tables belong to.
    read_mark: "SELECT environment FROM {p}environment_marks WHERE id = 1";
    /// Marks tables that have no mark.
    write_mark: "INSERT INTO {p}environment_marks (id, environment) VALUES (1, $1)
                 ON CONFLICT (id) DO NOTHING";
    /// Name, bytes.
    put_absent: "INSERT INTO {p}records (name, rev, present, bytes) VALUES ($1, 1, true, $2)
                 ON CONFLICT (name) DO UPDATE
                 SET rev = {p}records.rev + 1, present = true, bytes = $2
                 WHERE NOT {p}records.present RETURNING rev";
    /// Name, bytes.
    put_any: "INSERT INTO {p}records (name, rev, present, bytes) VALUES ($1, 1, true, $2)
              ON CONFLICT (name) DO UPDATE
              SET rev = {p}records.rev + 1, present = true, bytes = $2 RETURNING rev";
    /// Name, bytes, revision.
    put_rev: "UPDATE {p}records SET rev = rev + 1, bytes = $2
              WHERE name = $1 AND rev = $3 AND present RETURNING rev";
    /// Name.
    get: "SELECT rev, bytes FROM {p}records WHERE name = $1 AND present";
    /// Prefix, after, limit. A range of the index: names compare byte by byte and are printable
    /// ASCII, so after all of one prefix comes the prefix and DEL.
    list: "SELECT name FROM {p}records
           WHERE name >= $1 AND name < $1 || chr(127) AND name > $2 AND present
           ORDER BY name LIMIT $3";
    /// Name.
    destroy_any: "UPDATE {p}records SET rev = rev + 1, present = false, bytes = NULL
                  WHERE name = $1 AND present";
    /// Name, revision.
    destroy_rev: "UPDATE {p}records SET rev = rev + 1, present = false, bytes = NULL
                  WHERE name = $1 AND rev = $2 AND present";
    /// Address, JSON.
    properties_absent: "INSERT INTO {p}properties (address, rev, json) VALUES ($1, 1, $2)
                        ON CONFLICT (address) DO UPDATE
                        SET rev = {p}properties.rev + 1, json = excluded.json
                        WHERE {p}properties.json IS NULL RETURNING rev";
    /// Address, JSON.
    properties_any: "INSERT INTO {p}properties (address, rev, json) VALUES ($1, 1, $2)
                     ON CONFLICT (address) DO UPDATE
                     SET rev = {p}properties.rev + 1, json = excluded.json RETURNING rev";
    /// Address, JSON, revision.
    properties_rev: "UPDATE {p}properties SET rev = rev + 1, json = $2
                     WHERE address = $1 AND rev = $3 AND json IS NOT NULL RETURNING rev";
    /// Address.
    properties_get: "SELECT rev, json FROM {p}properties
                     WHERE address = $1 AND json IS NOT NULL";
    /// Address.
    properties_delete: "UPDATE {p}properties SET rev = rev + 1, json = NULL
                        WHERE address = $1 AND json IS NOT NULL";
    /// After, limit.
    properties_addresses: "SELECT address FROM {p}properties
                           WHERE address > $1 AND json IS NOT NULL
                           ORDER BY address LIMIT $2";
}
