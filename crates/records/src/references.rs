//! Which blobs the records refer to, and what each is there.

use std::collections::BTreeMap;

use boltworks_model::{Material, Sha256, SourceKind};
use rusqlite::Row;

use crate::column::{Digest, Json};
use crate::{Error, Records};

const ACTION: &str = "read the references";

impl Records {
    /// Every blob that the records refer to, with what refers to it, in words: artifacts,
    /// documents and logs of runs, fetched sources and packages that went into good ones, documents
    /// of evidence, logs of failures, everything that is released. Recipes, pipelines and files
    /// beside a recipe are named by digest too, but lie in the factory's folder.
    pub fn references(&self) -> Result<BTreeMap<Sha256, Vec<String>>, Error> {
        let mut found: BTreeMap<Sha256, Vec<String>> = BTreeMap::new();
        let read = |row: &Row<'_>| Ok((row.get::<_, Digest>(0)?.0, row.get::<_, String>(1)?));
        let sql = "SELECT digest, 'artifact ' || name || '-' || version || ' of ' || subject
                       FROM artifacts JOIN actions USING (run)
                   UNION
                   SELECT digest, 'document ''' || name || ''' of ' || subject
                       FROM documents JOIN actions USING (run)
                   UNION
                   SELECT log, 'log of ' || subject FROM actions WHERE log IS NOT NULL
                   UNION
                   SELECT log, 'log of a failure of ' || subject
                       FROM failures WHERE log IS NOT NULL
                   UNION
                   SELECT document, 'evidence for ' || name || '-' || version
                       FROM evidence WHERE document IS NOT NULL
                   UNION
                   SELECT digest, 'released in ' || repository || ' as ' || role
                       FROM released_blobs
                   ORDER BY 1, 2";
        for (digest, words) in self.list(ACTION, sql, [], read)? {
            found.entry(digest).or_default().push(words);
        }
        let sql = "SELECT DISTINCT material, subject FROM materials JOIN actions USING (run)
                   WHERE sha256 IS NOT NULL AND ok = 1 ORDER BY subject, material";
        let read =
            |row: &Row<'_>| Ok((row.get::<_, Json<Material>>(0)?.0, row.get::<_, String>(1)?));
        for (material, subject) in self.list(ACTION, sql, [], read)? {
            if let Some((digest, what)) = kept(&material) {
                let words = format!("{what}, from which {subject} was made");
                found.entry(digest).or_default().push(words);
            }
        }
        Ok(found)
    }
}

/// A material whose bytes the store keeps.
fn kept(material: &Material) -> Option<(Sha256, String)> {
    match material {
        Material::Source {
            kind: SourceKind::Local,
            ..
        }
        | Material::Recipe { .. }
        | Material::Pipeline { .. }
        | Material::Builder { .. } => None,
        Material::Source { uri, sha256, .. } => Some((*sha256, format!("source {uri}"))),
        Material::Key { uri, sha256, .. } => Some((*sha256, format!("key {uri}"))),
        Material::Package { name, sha256, .. } => Some((*sha256, format!("package {name}"))),
    }
}
