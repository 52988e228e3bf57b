//! Picking from the pool again, from what the run folder holds.

use std::collections::BTreeMap;

use ndarray::Array2;

use crate::dataset::{Split, Usable};
use crate::io;
use crate::pipeline::context::Context;
use crate::pipeline::embed::Parts;
use crate::pipeline::error::Error;
use crate::pipeline::pool::Source;
use crate::pipeline::saved::Saved;
use crate::run::cache::CacheFiles;
use crate::run::folder::Layout;
use crate::run::policy::Policy;
use crate::run::pool::PoolRecord;

/// The data and the embeddings of a run with a pool.
pub(super) struct Picker {
    saved: Saved,
    parts: Parts,
    /// Embeddings of the classes' reference captions.
    references: Option<Array2<f32>>,
    /// SHA-256 of the pool's images when they were embedded, by id.
    sha256: BTreeMap<String, String>,
    /// What was picked before.
    former: PoolRecord,
}

impl Picker {
    /// Opens what a run picked from.
    ///
    /// # Errors
    ///
    /// Of kind input for data that changed since, or is gone.
    pub(super) fn open(
        context: &mut Context<'_>,
        layout: &Layout,
        former: &PoolRecord,
    ) -> Result<Self, Error> {
        let saved = Saved::open(context, layout.root())?;
        let references = if former.zero_shot {
            Some(references(layout, &saved.found.classes)?)
        } else {
            None
        };
        let sha256 = if saved.is_embedded_before() {
            BTreeMap::new()
        } else {
            embedded(layout)
        };
        Ok(Self {
            parts: saved.parts()?,
            saved,
            references,
            sha256,
            former: former.clone(),
        })
    }

    /// The examples that can be used.
    pub(super) fn data(&self) -> Usable<'_> {
        self.saved.usable_data()
    }

    /// What a policy wants of the pool, for the failure modes that something was wanted for before.
    ///
    /// # Errors
    ///
    /// Of kind input for an image that cannot be read; of kind stopped.
    pub(super) fn pick(
        &self,
        context: &mut Context<'_>,
        policy: &Policy,
    ) -> Result<PoolRecord, Error> {
        let modes = self.former.modes.iter();
        let found = &self.saved.found;
        let source = Source {
            pictures: self.saved.pictures(&self.parts),
            whitening: &found.whitening,
            directions: modes
                .filter_map(|picked| found.get(picked.mode_id()))
                .collect(),
            references: self.references.as_ref().map(Array2::view),
        };
        let record = source.pick(context, policy)?;
        self.check(&record)?;
        Ok(record)
    }

    /// Refuses an image that is another than the one that was embedded.
    fn check(&self, record: &PoolRecord) -> Result<(), Error> {
        let picks = record.modes.iter().flat_map(|picked| &picked.picks);
        for pick in picks {
            let embedded = self.sha256.get(&pick.id);
            if embedded.is_some_and(|embedded| *embedded != pick.sha256) {
                return Err(Error::input(format!(
                    "pool image {} changed since the run: let `hardlight run` embed it again",
                    pick.id
                )));
            }
        }
        Ok(())
    }
}

/// SHA-256 of the pool's images when they were embedded, by id.
fn embedded(layout: &Layout) -> BTreeMap<String, String> {
    let files = CacheFiles::new(&layout.embeddings_dir(), Split::Pool.name());
    let ids = io::matrix::read_keyed(&files.matrix).ok();
    let ids = ids.and_then(|(_, ids)| ids).unwrap_or_default();
    ids.into_iter()
        .zip(files.sha256().unwrap_or_default())
        .collect()
}

/// Embeddings of the classes' reference captions, a row a class.
fn references(layout: &Layout, classes: &[String]) -> Result<Array2<f32>, Error> {
    let path = layout.references();
    let (matrix, ids) = io::matrix::read_keyed(&path)?;
    if ids.as_deref() == Some(classes) {
        return Ok(matrix);
    }
    Err(Error::input(format!(
        "{} is of other classes than the run: let `hardlight run` finish on the folder again",
        path.display()
    )))
}
