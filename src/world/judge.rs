//! A network that tells every attribute of a face, to say whether a generated one shows what its
//! caption names.
//!
//! It learns from drawn faces alone and never judges the analysed classifier.

use std::path::Path;

use image::RgbImage;
use tch::{Device, Kind};

use super::caption::Aspect;
use super::draw::{SIZE_PX, draw};
use super::face::{Age, Background, Face, Gender, Hair};
use crate::classifier::{ClassifierError, Cnn, CnnConfig, TrainOptions, TrainingSet, train};

/// What a face shows in one aspect, as a position in [`values`].
pub type Value = usize;

/// The values of an aspect, each as captions name it; a thing that can be absent is absent at 0 and
/// present at 1.
pub fn values(aspect: Aspect) -> Vec<&'static str> {
    let names = |all: &[&'static str]| all.to_vec();
    match aspect {
        Aspect::Age => Age::ALL.iter().map(|v| v.as_str()).collect(),
        Aspect::Gender => Gender::ALL.iter().map(|v| v.as_str()).collect(),
        Aspect::Hair => Hair::ALL.iter().map(|v| v.as_str()).collect(),
        Aspect::Background => Background::ALL.iter().map(|v| v.as_str()).collect(),
        Aspect::Glasses => names(&["no glasses", "glasses"]),
        Aspect::Eyepatch => names(&["no eyepatch", "eyepatch"]),
        Aspect::Hat => names(&["no hat", "hat"]),
        Aspect::Beard => names(&["no beard", "beard"]),
        Aspect::Smile => names(&["no smile", "smile"]),
    }
}

/// What a drawn face shows.
pub fn value(face: &Face, aspect: Aspect) -> Value {
    let at = |found: Option<usize>| found.unwrap_or(0);
    match aspect {
        Aspect::Age => at(Age::ALL.iter().position(|&v| v == face.age)),
        Aspect::Gender => at(Gender::ALL.iter().position(|&v| v == face.gender)),
        Aspect::Hair => at(Hair::ALL.iter().position(|&v| v == face.hair)),
        Aspect::Background => at(Background::ALL.iter().position(|&v| v == face.background)),
        Aspect::Glasses => usize::from(face.glasses),
        Aspect::Eyepatch => usize::from(face.eyepatch),
        Aspect::Hat => usize::from(face.hat.is_some()),
        Aspect::Beard => usize::from(face.beard),
        Aspect::Smile => usize::from(face.smile),
    }
}

/// What a caption of [`super::caption`] names, with the value that it asks for.
///
/// ```
/// # use hardlight::world::{caption::Aspect, judge::named};
/// let asked = named("a photo of an old woman with grey hair on a blue background");
/// assert_eq!(asked, [(Aspect::Age, 1), (Aspect::Gender, 1), (Aspect::Hair, 4), (Aspect::Background, 4)]);
/// ```
pub fn named(caption: &str) -> Vec<(Aspect, Value)> {
    Aspect::ALL
        .into_iter()
        .filter_map(|aspect| {
            let follows = match aspect {
                Aspect::Hair => " hair",
                Aspect::Background => " background",
                _ => "",
            };
            let said = |value: &str| {
                let phrase = format!("{value}{follows}");
                caption.match_indices(&phrase).any(|(at, _)| {
                    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                    ends(caption[..at].chars().next_back())
                        && ends(caption[at + phrase.len()..].chars().next())
                })
            };
            let value = values(aspect).iter().position(|value| said(value))?;
            Some((aspect, value))
        })
        .collect()
}

/// A network that tells every attribute.
#[derive(Debug)]
pub struct Judge(Cnn);

impl Judge {
    /// The network of a judge: one question for every [`Aspect`].
    pub fn config() -> CnnConfig {
        let names: Vec<String> = Aspect::ALL
            .into_iter()
            .flat_map(|aspect| {
                let of = aspect.as_str();
                values(aspect)
                    .into_iter()
                    .map(move |v| format!("{of}: {v}"))
            })
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        CnnConfig {
            channels: vec![24, 48, 96],
            features: 128,
            questions: Aspect::ALL.map(|aspect| values(aspect).len()).to_vec(),
            ..CnnConfig::small(SIZE_PX, &names)
        }
    }

    /// Reads the folder that [`Judge::train`] wrote.
    ///
    /// # Errors
    ///
    /// [`ClassifierError`], naming the file.
    pub fn read(dir: &Path, device: Device) -> Result<Self, ClassifierError> {
        Ok(Self(Cnn::read(dir, device)?))
    }

    /// Trains on drawn faces and writes the folder; `progress` hears every step's loss.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Io`].
    pub fn train(
        dir: &Path,
        faces: &[Face],
        options: &TrainOptions,
        device: Device,
        progress: impl FnMut(usize, f64),
    ) -> Result<Self, ClassifierError> {
        let config = Self::config();
        let mut set = TrainingSet::with_questions(SIZE_PX, Aspect::ALL.len());
        for face in faces {
            let answers = Aspect::ALL.map(|aspect| value(face, aspect));
            set.extend(&[draw(face)], &answers)?;
        }
        let (cnn, params) = train(&config, &set, options, device, progress);
        Cnn::write(dir, &config, &params, Kind::Half)?;
        Ok(Self(cnn))
    }

    /// What every image shows in every aspect, in the order of [`Aspect::ALL`].
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Size`].
    pub fn values(
        &self,
        images: &[RgbImage],
    ) -> Result<Vec<[Value; Aspect::ALL.len()]>, ClassifierError> {
        let said = self.0.predict(images)?;
        let mut first = 0;
        let mut each = vec![[0; Aspect::ALL.len()]; images.len()];
        for (column, aspect) in Aspect::ALL.into_iter().enumerate() {
            let count = values(aspect).len();
            for (row, answer) in each.iter_mut().zip(said.answers(first, count)) {
                row[column] = answer;
            }
            first += count;
        }
        Ok(each)
    }
}

/// Whether values show all that was [`named`].
pub fn shows(values: &[Value; Aspect::ALL.len()], named: &[(Aspect, Value)]) -> bool {
    named
        .iter()
        .all(|&(aspect, value)| values[aspect as usize] == value)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::world::caption::{Mention, caption, sample_mention};
    use crate::world::face::WorldConfig;

    #[test]
    fn a_caption_names_what_its_face_shows() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for index in 0..400 {
            let (age, gender) = (Age::ALL[index % 2], Gender::ALL[index / 2 % 2]);
            let face = Face::sample(&mut rng, age, gender, &WorldConfig::INDEPENDENT);
            let shown = Aspect::ALL.map(|aspect| value(&face, aspect));
            let mention = sample_mention(&mut rng);
            assert!(shows(&shown, &named(&caption(&face, mention))));
            let all = named(&caption(&face, Mention::EVERYTHING));
            let present = |&aspect: &Aspect| {
                values(aspect).len() > 2
                    || matches!(aspect, Aspect::Age | Aspect::Gender)
                    || shown[aspect as usize] == 1
            };
            let expected: Vec<Aspect> = Aspect::ALL.into_iter().filter(present).collect();
            assert_eq!(all.iter().map(|(a, _)| *a).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_person_is_of_either_gender() {
        assert_eq!(
            named("a photo of a young person with a hat"),
            [(Aspect::Age, 0), (Aspect::Hat, 1)]
        );
        assert!(named("a photo of a person").is_empty());
    }

    #[test]
    fn every_class_of_the_network_belongs_to_one_question() {
        let config = Judge::config();
        assert_eq!(config.questions.iter().sum::<usize>(), config.classes.len());
        assert_eq!(config.classes[0], "age: young");
    }
}
