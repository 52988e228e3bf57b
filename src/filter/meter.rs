//! Measuring images: everything that the filters ask for.

use image::RgbImage;
use ndarray::{ArrayView1, ArrayView2};

use super::Measures;
use super::alignment::alignment;
use super::class::ZeroShot;
use super::duplicate::{Descriptor, Duplicates, Thumbnail};
use crate::direction::{Direction, Whitening};
use crate::io::IoError;

/// An image to measure.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The pixels.
    pub image: &'a RgbImage,
    /// Whether they were finite numbers before they were rounded.
    pub finite: bool,
    /// Whether the model's safety checker objects.
    pub flagged: bool,
    /// Id of the image of the data set that it started from; none for noise.
    pub start: Option<&'a str>,
}

/// Measures images for one failure mode.
#[derive(Debug, Clone, Copy)]
pub struct Meter<'a> {
    /// The whitening that the direction was learned behind.
    pub whitening: &'a Whitening,
    /// The direction of the mode.
    pub direction: &'a Direction,
    /// The classes' captions; none where embeddings are in no space with captions.
    pub zero_shot: Option<&'a ZeroShot>,
    /// The images of the data set, to compare with.
    pub duplicates: &'a Duplicates<'a>,
}

impl Meter<'_> {
    /// Measures images with their embeddings `[images, d]`, before normalisation.
    ///
    /// What comes out for an image does not depend on the others.
    ///
    /// # Errors
    ///
    /// [`IoError`], naming the image of the data set that could not be read to compare with.
    pub fn measure(
        &self,
        subjects: &[Subject<'_>],
        embeddings: ArrayView2<'_, f32>,
    ) -> Result<Vec<Measures>, IoError> {
        let likenesses = self.duplicates.likenesses(embeddings);
        let each = subjects.iter().zip(embeddings.outer_iter()).zip(likenesses);
        each.map(|((subject, embedding), likeness)| {
            let mut measures = self.scores(*subject, embedding);
            if measures.finite {
                let thumbnail = Thumbnail::of(subject.image);
                measures.nearest_train_similarity = likeness.nearest_train;
                let pair = (embedding, &thumbnail);
                measures.twins = self.duplicates.twins(&likeness, pair, subject.start)?;
                if let Some(start) = subject.start {
                    measures.start = self.duplicates.with_start(start, pair)?;
                }
                measures.descriptor = Some(Descriptor::new(embedding, &thumbnail));
            }
            Ok(measures)
        })
        .collect()
    }

    fn scores(&self, subject: Subject<'_>, embedding: ArrayView1<'_, f32>) -> Measures {
        let Subject {
            image,
            finite,
            flagged,
            start: _,
        } = subject;
        let finite = finite && embedding.iter().all(|v| v.is_finite());
        let alignment = finite
            .then(|| alignment(self.whitening, self.direction, embedding))
            .flatten();
        let finite = finite && alignment.is_some();
        let class = self.direction.id.class;
        let of_class = self
            .zero_shot
            .filter(|_| finite)
            .map(|zero_shot| zero_shot.score(class, embedding));
        Measures {
            finite,
            flagged,
            alignment,
            class_similarity: of_class.map(|(similarity, _)| similarity),
            class_margin: of_class.map(|(_, margin)| margin),
            ..Measures::of_pixels(image)
        }
    }
}
