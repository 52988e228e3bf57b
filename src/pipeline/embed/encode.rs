//! Embedding images, split by split, through the cache of the run folder.

use std::collections::BTreeSet;

use super::part::{Part, Parts};
use crate::dataset::{Dataset, Split};
use crate::embed::ImageEncoder;
use crate::io::image::Exif;
use crate::pipeline::context::{Context, Job};
use crate::pipeline::error::Error;
use crate::pipeline::own::Rows;
use crate::pipeline::reporter::Stage;
use crate::run::cache::{self, Place};
use crate::run::skipped::Skips;

/// What the images of a data set were embedded as.
#[derive(Default)]
pub(super) struct Encoded {
    pub(super) parts: Parts,
    /// The hash of every image by its row of the data set.
    pub(super) shas: Vec<(usize, String)>,
    /// Rows whose image cannot be used.
    pub(super) gone: BTreeSet<usize>,
}

/// Embeds every split that is needed; `prefix` keeps spaces apart in the cache.
pub(super) fn encode(
    context: &mut Context<'_>,
    job: &Job<'_>,
    (dataset, exif): (&Dataset, Exif),
    encoder: &dyn ImageEncoder,
    prefix: &str,
    skips: &mut Skips,
) -> Result<Encoded, Error> {
    let Encoded {
        mut parts,
        mut shas,
        mut gone,
    } = Encoded::default();
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        // A pool is embedded to pick from, or, where there are predictions, to report on.
        let known = |&i: &usize| dataset.examples[i].prediction.is_some();
        let wanted = job.settings.data.pool == Some(split) || split != Split::Pool;
        if rows.is_empty() || !wanted && !rows.iter().any(known) {
            continue;
        }
        let images: Vec<_> = rows
            .iter()
            .map(|&i| {
                (
                    dataset.examples[i].id.clone(),
                    dataset.image(&dataset.examples[i]),
                )
            })
            .collect();
        let name = format!("{prefix}{split}");
        let place = Place::new(&job.layout.embeddings_dir(), &name);
        let mut stage = Stage::begin(
            context.reporter,
            &format!("embed {name}"),
            rows.len(),
            "images",
        );
        let embedded = cache::embed(
            &place,
            &images,
            exif,
            encoder,
            &mut |at, error| {
                gone.insert(rows[at]);
                skips.add(&dataset.examples[rows[at]], error)
            },
            context.stop,
            &mut |done| stage.set(done, ""),
        )?;
        let Some(embedded) = embedded else {
            return Err(Error::stopped());
        };
        stage.note(format_args!(
            "{} of {} were new",
            embedded.fresh,
            rows.len()
        ));
        stage.end();
        let rows: Vec<usize> = embedded.rows.iter().map(|&at| rows[at]).collect();
        shas.extend(rows.iter().copied().zip(embedded.sha256));
        let matrix = embedded.embeddings.matrix;
        if !rows.is_empty() {
            let matrix = Rows::Held(matrix);
            parts.insert(split, Part { rows, matrix });
        }
    }
    Ok(Encoded { parts, shas, gone })
}
