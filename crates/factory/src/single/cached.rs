//! The sources of a recipe in a folder, as melange keeps them: each under the name of the digest that
//! the recipe expects, or of the commit.

use std::io;
use std::path::Path;

use boltworks_fsx::{RelPath, Root};
use boltworks_model::{Ambient, Event, chain};
use boltworks_recipe::Problem;
use boltworks_recipe::resolved::{KnownBy, Recipe};

use crate::equipment::Reach;
use crate::equipment::{not_fetched, request};
use crate::sources::sources;
use crate::{Error, Home};

/// Fetches every source of a recipe and of its tests, and puts it into a folder, which is made where it
/// is missing; how many there are. A checkout without a commit is told, and left out.
pub fn keep_sources(
    home: &Home,
    recipe: &Recipe,
    folder: &Path,
    ambient: &Ambient<'_>,
) -> Result<usize, Error> {
    let sources = sources(recipe);
    for source in &sources {
        if let KnownBy::Nothing(unpinned) = &source.known_by
            && !matches!(unpinned.problem, Problem::NoCommit { .. })
        {
            return Err(unpinned.error().into());
        }
    }
    let reach = Reach::new(home)?;
    let fetcher = reach.fetcher(home);
    let folder = Root::create(folder)?;
    let version = recipe.package.version.to_string();
    let mut kept = 0;
    for source in sources {
        ambient.cancel.check()?;
        if let KnownBy::Nothing(unpinned) = &source.known_by {
            let text = chain(&unpinned.error());
            ambient.sink.event(Event::Warning { text: &text });
            continue;
        }
        let fetched = fetcher.fetch(&request(recipe, source, &version)?, ambient);
        let fetched = fetched.map_err(|error| not_fetched(source, error))?;
        let path = RelPath::try_from(source.key.as_str())?;
        let mut draft = folder.draft(&path, 0o644)?;
        let mut blob = home.store.open_blob(&fetched.digest)?.reader();
        io::copy(&mut blob, &mut draft).map_err(|source| boltworks_fsx::Error::Stream {
            action: "write the source",
            source,
        })?;
        draft.commit()?;
        kept += 1;
    }
    Ok(kept)
}
