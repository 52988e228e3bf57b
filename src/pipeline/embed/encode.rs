//! Embedding images, split by split, through the cache of the run folder.

use super::part::{Parts, SplitEmbeddings};
use crate::dataset::{Dataset, ExampleId, Split};
use crate::embed::ImageEncoder;
use crate::io::image::Exif;
use crate::pipeline::context::{Context, Job};
use crate::pipeline::error::Error;
use crate::pipeline::reporter::Stage;
use crate::run::cache::{self, CacheFiles, Images};
use crate::run::skipped::Skips;

/// What the images of a data set were embedded as.
pub(super) struct Encoded {
    pub(super) parts: Parts,
    /// SHA-256 of the images by [`ExampleId`], as far as they were read.
    pub(super) sha256: Vec<Option<String>>,
}

/// Embeds what can be used of every split that is needed; `prefix` keeps spaces apart in the cache.
/// `skips` gets the images that cannot be used.
pub(super) fn encode(
    context: &mut Context<'_>,
    job: &Job<'_>,
    (dataset, exif): (&Dataset, Exif),
    encoder: &dyn ImageEncoder,
    prefix: &str,
    skips: &mut Skips,
) -> Result<Encoded, Error> {
    let mut parts = Parts::new();
    let mut sha256 = vec![None; dataset.len()];
    for split in Split::ALL {
        let usable = dataset.usable(skips.unusable());
        let ids: Vec<ExampleId> = usable.of_split(split).map(|(id, _)| id).collect();
        // A pool is embedded to pick from or to start from, or, where there are predictions, to report on.
        let known = |&id: &ExampleId| dataset.example(id).prediction.is_some();
        let wanted = split != Split::Pool
            || job.settings.data.pool == Some(split)
            || job.settings.generate.starts_from() == Some(split);
        if ids.is_empty() || !wanted && !ids.iter().any(known) {
            continue;
        }
        let name = format!("{prefix}{split}");
        let files = CacheFiles::new(&job.layout.embeddings_dir(), &name);
        let name = format!("embed {name}");
        let mut stage = Stage::begin(context.reporter, &name, ids.len(), "images");
        let images = Images {
            dataset,
            ids: &ids,
            exif,
        };
        let embedded = cache::embed(
            &files,
            images,
            encoder,
            &mut |id, error| skips.add(id, dataset.example(id), error),
            context.stop,
            &mut |done| stage.set(done, ""),
        )?;
        let Some(embedded) = embedded else {
            return Err(Error::stopped());
        };
        stage.note(format_args!("{} of {} were new", embedded.fresh, ids.len()));
        stage.end();
        for (id, sha) in embedded.ids.iter().zip(embedded.sha256) {
            sha256[id.index()] = Some(sha);
        }
        if !embedded.ids.is_empty() {
            parts.insert(split, SplitEmbeddings::held(embedded.ids, embedded.matrix));
        }
    }
    Ok(Encoded { parts, sha256 })
}
