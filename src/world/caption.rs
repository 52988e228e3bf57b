//! From a description to a sentence.
//!
//! ```text
//! a photo of a(n) [young|old] {man|woman|person} [with A, B and C] [on a(n) COLOUR background]
//! ```
//!
//! A, B and C are `glasses`, `an eyepatch`, `a hat`, `a beard`, `a smile` and `COLOUR hair`, always in this order. The
//! same phrases stand in `prompts/world.toml`, so that the sentences a search composes are ones that
//! the models of this world were trained on.

use rand::Rng;

use super::face::{Age, Background, Face, Gender, Hair};

/// Something a caption may say about a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Aspect {
    /// "young" or "old".
    Age,
    /// "man" or "woman" instead of "person".
    Gender,
    /// "glasses".
    Glasses,
    /// "an eyepatch".
    Eyepatch,
    /// "a hat".
    Hat,
    /// "a beard".
    Beard,
    /// "a smile".
    Smile,
    /// "grey hair" and so on.
    Hair,
    /// "on a blue background" and so on.
    Background,
}

impl Aspect {
    /// Every aspect.
    pub const ALL: [Self; 9] = [
        Self::Age,
        Self::Gender,
        Self::Glasses,
        Self::Eyepatch,
        Self::Hat,
        Self::Beard,
        Self::Smile,
        Self::Hair,
        Self::Background,
    ];

    /// Its name, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Gender => "gender",
            Self::Glasses => "glasses",
            Self::Eyepatch => "eyepatch",
            Self::Hat => "hat",
            Self::Beard => "beard",
            Self::Smile => "smile",
            Self::Hair => "hair",
            Self::Background => "background",
        }
    }
}

/// The aspects a caption speaks of. What the face does not have goes unsaid all the same: no caption says
/// "without a hat".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mention(u16);

impl Mention {
    /// "a photo of a person".
    pub const NOTHING: Self = Self(0);

    /// All there is to say.
    pub const EVERYTHING: Self = Self(u16::MAX);

    /// The same and `aspect`.
    #[must_use]
    pub const fn with(self, aspect: Aspect) -> Self {
        Self(self.0 | 1 << aspect as u8)
    }

    /// Whether the caption speaks of `aspect`.
    pub const fn has(self, aspect: Aspect) -> bool {
        self.0 & (1 << aspect as u8) != 0
    }
}

/// How often a training caption speaks of an aspect.
///
/// Age and gender are left out now and then, for the models to learn the words apart from each other
/// and "person" as a word of its own.
const fn p_mentioned(aspect: Aspect) -> f64 {
    match aspect {
        Aspect::Age => 0.9,
        Aspect::Gender => 0.8,
        Aspect::Glasses
        | Aspect::Eyepatch
        | Aspect::Hat
        | Aspect::Beard
        | Aspect::Smile
        | Aspect::Hair => 0.5,
        Aspect::Background => 0.6,
    }
}

/// Draws what a training caption speaks of, each aspect on its own.
pub fn sample_mention(rng: &mut impl Rng) -> Mention {
    Aspect::ALL
        .into_iter()
        .fold(Mention::NOTHING, |mention, aspect| {
            if rng.gen_bool(p_mentioned(aspect)) {
                mention.with(aspect)
            } else {
                mention
            }
        })
}

/// The caption of a face.
///
/// ```
/// # use hardlight::world::{caption::{caption, Aspect, Mention}, face::{Age, Face, Gender, WorldConfig}};
/// # use rand::SeedableRng as _;
/// # let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let face = Face::sample(&mut rng, Age::Old, Gender::Woman, &WorldConfig::default());
/// let mention = Mention::NOTHING.with(Aspect::Age).with(Aspect::Gender);
/// assert_eq!(caption(&face, mention), "a photo of an old woman");
/// ```
pub fn caption(face: &Face, mention: Mention) -> String {
    let hair = hair_phrase(face.hair);
    let attributes = [
        (Aspect::Glasses, face.glasses, "glasses"),
        (Aspect::Eyepatch, face.eyepatch, "an eyepatch"),
        (Aspect::Hat, face.hat.is_some(), "a hat"),
        (Aspect::Beard, face.beard, "a beard"),
        (Aspect::Smile, face.smile, "a smile"),
        (Aspect::Hair, true, hair.as_str()),
    ];
    let attributes: Vec<&str> = attributes
        .into_iter()
        .filter(|&(aspect, present, _)| present && mention.has(aspect))
        .map(|(.., phrase)| phrase)
        .collect();
    compose(
        mention.has(Aspect::Age).then_some(face.age),
        mention.has(Aspect::Gender).then_some(face.gender),
        &attributes,
        mention.has(Aspect::Background).then_some(face.background),
    )
}

/// Sentences with every word and every construction that [`caption`] can make, in a fixed order: what a
/// tokenizer is trained on.
pub fn caption_corpus() -> Vec<String> {
    let hair: Vec<String> = Hair::ALL.iter().copied().map(hair_phrase).collect();
    let mut lists: Vec<Vec<&str>> = vec![vec![]];
    lists.extend(
        ["glasses", "an eyepatch", "a hat", "a beard", "a smile"].map(|phrase| vec![phrase]),
    );
    for colour in &hair {
        lists.push(vec![colour]);
        lists.push(vec!["glasses", colour]);
        lists.push(vec!["a hat", "a smile", colour]);
        lists.push(vec![
            "glasses",
            "an eyepatch",
            "a hat",
            "a beard",
            "a smile",
            colour,
        ]);
    }
    let mut corpus = Vec::new();
    for age in optional(Age::ALL) {
        for gender in optional(Gender::ALL) {
            for attributes in &lists {
                for background in optional(Background::ALL) {
                    corpus.push(compose(age, gender, attributes, background));
                }
            }
        }
    }
    corpus
}

fn compose(
    age: Option<Age>,
    gender: Option<Gender>,
    attributes: &[&str],
    background: Option<Background>,
) -> String {
    let noun = gender.map_or("person", Gender::as_str);
    let subject = age.map_or_else(|| noun.to_owned(), |age| format!("{} {noun}", age.as_str()));
    let mut text = format!("a photo of {}", with_article(&subject));
    if let Some((last, before)) = attributes.split_last() {
        text.push_str(" with ");
        if !before.is_empty() {
            text.push_str(&before.join(", "));
            text.push_str(" and ");
        }
        text.push_str(last);
    }
    if let Some(colour) = background {
        text.push_str(" on ");
        text.push_str(&with_article(colour.as_str()));
        text.push_str(" background");
    }
    text
}

fn hair_phrase(hair: Hair) -> String {
    format!("{} hair", hair.as_str())
}

/// Every word of this world is pronounced as it begins, so that the first letter decides.
fn with_article(phrase: &str) -> String {
    let article = if phrase.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {phrase}")
}

fn optional<T: Copy>(alternatives: &[T]) -> impl Iterator<Item = Option<T>> {
    std::iter::once(None).chain(alternatives.iter().copied().map(Some))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::world::face::{Hat, Pose, Shirt, Skin, WorldConfig};

    const FACE: Face = Face {
        age: Age::Old,
        gender: Gender::Man,
        hair: Hair::Grey,
        skin: Skin::Tan,
        background: Background::Orange,
        glasses: true,
        hat: Some(Hat::Wine),
        beard: true,
        smile: true,
        eyepatch: true,
        shirt: Shirt::Teal,
        pose: Pose::UPRIGHT,
    };

    #[test]
    fn everything_is_said_in_the_fixed_order() {
        assert_eq!(
            caption(&FACE, Mention::EVERYTHING),
            "a photo of an old man with glasses, an eyepatch, a hat, a beard, a smile and grey hair on an orange background"
        );
    }

    #[test]
    fn what_the_face_lacks_goes_unsaid() {
        let face = Face {
            glasses: false,
            hat: None,
            beard: false,
            smile: false,
            eyepatch: false,
            ..FACE
        };
        assert_eq!(
            caption(&face, Mention::EVERYTHING),
            "a photo of an old man with grey hair on an orange background"
        );
    }

    #[test]
    fn articles_follow_the_next_word() {
        let young = Face {
            age: Age::Young,
            background: Background::Yellow,
            ..FACE
        };
        let mention = Mention::NOTHING.with(Aspect::Age).with(Aspect::Background);
        assert_eq!(
            caption(&young, mention),
            "a photo of a young person on a yellow background"
        );
        assert_eq!(
            caption(&FACE, mention),
            "a photo of an old person on an orange background"
        );
        assert_eq!(caption(&FACE, Mention::NOTHING), "a photo of a person");
    }

    #[test]
    fn two_attributes_are_joined_by_and() {
        let mention = Mention::NOTHING
            .with(Aspect::Gender)
            .with(Aspect::Hat)
            .with(Aspect::Hair);
        assert_eq!(
            caption(&FACE, mention),
            "a photo of a man with a hat and grey hair"
        );
    }

    #[test]
    fn mentions_occur_as_often_as_declared() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mentions: Vec<Mention> = (0..4000).map(|_| sample_mention(&mut rng)).collect();
        for aspect in Aspect::ALL {
            let count = mentions
                .iter()
                .filter(|mention| mention.has(aspect))
                .count();
            let share = count as f64 / mentions.len() as f64;
            assert!(
                (share - p_mentioned(aspect)).abs() < 0.035,
                "{aspect:?}: {share}"
            );
        }
    }

    #[test]
    fn the_corpus_has_every_word_of_every_caption() {
        let corpus = caption_corpus();
        let words: BTreeSet<&str> = corpus.iter().flat_map(|text| text.split(' ')).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for index in 0..2000 {
            let age = Age::ALL[index % 2];
            let gender = Gender::ALL[index / 2 % 2];
            let face = Face::sample(&mut rng, age, gender, &WorldConfig::INDEPENDENT);
            let text = caption(&face, sample_mention(&mut rng));
            for word in text.split(' ') {
                assert!(words.contains(word), "`{word}` of `{text}`");
            }
        }
        let distinct: BTreeSet<&String> = corpus.iter().collect();
        assert_eq!(distinct.len(), corpus.len());
    }
}
