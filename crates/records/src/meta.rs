//! Small texts under fixed names: the digest of the stage-0 lock, and the like.

use rusqlite::{OptionalExtension, params};

use crate::{Error, Records};

impl Records {
    /// The text under a name.
    pub fn meta(&self, name: &str) -> Result<Option<String>, Error> {
        self.connection()
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")
            .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
            .map_err(Error::sql("read the records"))
    }

    /// Puts a text under a name, in the place of what was there.
    pub fn set_meta(&mut self, name: &str, value: &str) -> Result<(), Error> {
        const ACTION: &str = "write the records";
        let transaction = self.transaction(ACTION)?;
        transaction
            .execute(
                "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
                params![name, value],
            )
            .map_err(Error::sql(ACTION))?;
        transaction.commit().map_err(Error::sql(ACTION))
    }
}
