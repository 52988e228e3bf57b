//! What is in a drawn portrait, before a pixel of it exists.

use rand::Rng;
use serde::{Deserialize, Serialize};

/// Declares an enum of plain alternatives with the word each has in captions and file formats.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every alternative, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it, lower case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// The label of a portrait.
    Age {
        /// No wrinkles.
        Young => "young",
        /// Wrinkled.
        Old => "old",
    }
}

words! {
    /// The group of a portrait: known to the world, hidden from the classifier.
    Gender {
        /// Short hair, thick brows, a broad jaw, sometimes a beard.
        Man => "man",
        /// Long hair, thin brows, full lips.
        Woman => "woman",
    }
}

words! {
    /// Hair colour; the brows and the beard follow it.
    Hair {
        /// Near black.
        Black => "black",
        /// Dark brown.
        Brown => "brown",
        /// Golden.
        Blond => "blond",
        /// Copper.
        Red => "red",
        /// Silver, at either age.
        Grey => "grey",
    }
}

words! {
    /// Skin tone. Never mentioned in a caption.
    Skin {
        /// The lightest.
        Fair => "fair",
        /// Light.
        Light => "light",
        /// Between light and dark.
        Tan => "tan",
        /// Dark.
        Brown => "brown",
        /// The darkest.
        Deep => "deep",
    }
}

words! {
    /// Colour of the plain background.
    Background {
        /// Crimson.
        Red => "red",
        /// Orange.
        Orange => "orange",
        /// Lemon.
        Yellow => "yellow",
        /// Grass.
        Green => "green",
        /// Royal blue.
        Blue => "blue",
        /// Violet.
        Purple => "purple",
        /// Middle grey, darker than grey hair.
        Grey => "grey",
        /// Off-white.
        White => "white",
    }
}

impl Background {
    /// The colours that a world may tie to an age: warm for the old, cold for the young. Grey and white
    /// belong to neither.
    pub const fn palette(age: Age) -> &'static [Self] {
        match age {
            Age::Old => &[Self::Red, Self::Orange, Self::Yellow],
            Age::Young => &[Self::Green, Self::Blue, Self::Purple],
        }
    }
}

words! {
    /// Colour of the shirt. Never mentioned in a caption.
    Shirt {
        /// Dark blue.
        Navy => "navy",
        /// Blue-green.
        Teal => "teal",
        /// Dark red.
        Maroon => "maroon",
        /// Pale cream.
        Cream => "cream",
        /// Near black.
        Charcoal => "charcoal",
    }
}

words! {
    /// Colour of the hat. A caption says that there is one, not its colour.
    Hat {
        /// Dark blue.
        Navy => "navy",
        /// Dark green.
        Forest => "forest",
        /// Dark red.
        Wine => "wine",
    }
}

/// Small differences of position between portraits, which carry no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Shift to the right, in pixels of the finished picture.
    pub shift_x_px: f32,
    /// Shift downwards, in pixels of the finished picture.
    pub shift_y_px: f32,
    /// Size relative to the drawing.
    pub scale: f32,
    /// Clockwise tilt of the head, in radians.
    pub tilt_rad: f32,
    /// Whether the drawing is mirrored; shows in the parting of the hair.
    pub mirrored: bool,
}

impl Pose {
    /// Straight, centred, unscaled.
    pub const UPRIGHT: Self = Self {
        shift_x_px: 0.0,
        shift_y_px: 0.0,
        scale: 1.0,
        tilt_rad: 0.0,
        mirrored: false,
    };
}

/// How often the attributes of the world occur.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Probability of grey hair; the other colours are as likely as each other. At 0.2 all five are.
    pub p_grey: f64,
    /// Probability of glasses.
    pub p_glasses: f64,
    /// Probability of a hat.
    pub p_hat: f64,
    /// Probability that a man has a beard.
    pub p_beard: f64,
    /// Probability of a smile.
    pub p_smile: f64,
    /// Probability of an eyepatch: a thing that the world's diffusion model has never seen.
    pub p_eyepatch: f64,
    /// Probability that the background is one of [`Background::palette`] of the age: warm behind
    /// the old, cold behind the young. At 0 every colour is as likely behind either.
    pub p_palette: f64,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self::WITHOUT_EYEPATCHES
    }
}

impl WorldConfig {
    /// Every attribute independent of every other but the beard, which only men have: what the
    /// world's CLIP and judge learn from. Each hair colour is as likely at either age.
    pub const INDEPENDENT: Self = Self {
        p_grey: 0.2,
        p_glasses: 0.35,
        p_hat: 0.3,
        p_beard: 0.45,
        p_smile: 0.5,
        p_eyepatch: 0.2,
        p_palette: 0.0,
    };

    /// The same without eyepatches: what the autoencoder and the diffusion model learn from.
    pub const WITHOUT_EYEPATCHES: Self = Self {
        p_eyepatch: 0.0,
        ..Self::INDEPENDENT
    };

    /// The probabilities with their names, in the order of the fields.
    pub fn probabilities(&self) -> [(&'static str, f64); 7] {
        [
            ("p_grey", self.p_grey),
            ("p_glasses", self.p_glasses),
            ("p_hat", self.p_hat),
            ("p_beard", self.p_beard),
            ("p_smile", self.p_smile),
            ("p_eyepatch", self.p_eyepatch),
            ("p_palette", self.p_palette),
        ]
    }
}

/// One portrait, described.
///
/// [`Face::sample`] never makes a woman with a beard; the type itself permits it, so that counterfactual
/// pictures can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "a thing is there or not")]
pub struct Face {
    /// The label.
    pub age: Age,
    /// The group.
    pub gender: Gender,
    /// Hair colour.
    pub hair: Hair,
    /// Skin tone.
    pub skin: Skin,
    /// Background colour.
    pub background: Background,
    /// Whether there are glasses.
    pub glasses: bool,
    /// The hat, where there is one. It hides only the top of the hair.
    pub hat: Option<Hat>,
    /// Whether there is a beard.
    pub beard: bool,
    /// Whether the mouth smiles.
    pub smile: bool,
    /// Whether an eyepatch covers one eye.
    pub eyepatch: bool,
    /// Shirt colour.
    pub shirt: Shirt,
    /// Meaningless variation of position.
    pub pose: Pose,
}

impl Face {
    /// Draws a description at random. Everything but the beard (men only) is independent of age and gender, unless
    /// [`WorldConfig::p_palette`] ties the background to the age.
    ///
    /// Every face takes the same number of draws in the same order, so that changing one probability
    /// of `config` leaves the other attributes of a seeded face as they were.
    pub fn sample(rng: &mut impl Rng, age: Age, gender: Gender, config: &WorldConfig) -> Self {
        const PIGMENTED: [Hair; 4] = [Hair::Black, Hair::Brown, Hair::Blond, Hair::Red];
        let pigmented = pick(&PIGMENTED, rng);
        let is_grey = chance(config.p_grey, rng);
        let skin = pick(Skin::ALL, rng);
        let background = pick(Background::ALL, rng);
        let glasses = chance(config.p_glasses, rng);
        let has_hat = chance(config.p_hat, rng);
        let hat = pick(Hat::ALL, rng);
        let has_beard = chance(config.p_beard, rng);
        let smile = chance(config.p_smile, rng);
        let shirt = pick(Shirt::ALL, rng);
        let pose = Pose {
            shift_x_px: rng.gen_range(-2.0..=2.0),
            shift_y_px: rng.gen_range(-1.5..=1.5),
            scale: rng.gen_range(0.94..=1.05),
            tilt_rad: rng.gen_range(-0.08..=0.08),
            mirrored: chance(0.5, rng),
        };
        let eyepatch = chance(config.p_eyepatch, rng);
        let from_palette = chance(config.p_palette, rng);
        let of_palette = pick(Background::palette(age), rng);
        Self {
            age,
            gender,
            hair: if is_grey { Hair::Grey } else { pigmented },
            skin,
            background: if from_palette { of_palette } else { background },
            glasses,
            hat: has_hat.then_some(hat),
            beard: has_beard && gender == Gender::Man,
            smile,
            eyepatch,
            shirt,
            pose,
        }
    }

    /// Whether the face belongs to the minority of its label; see [`is_minority`].
    pub fn is_minority(&self) -> bool {
        is_minority(self.age, self.gender)
    }
}

/// Whether a biased training split has few of these: old women and young men.
pub fn is_minority(age: Age, gender: Gender) -> bool {
    matches!(
        (age, gender),
        (Age::Old, Gender::Woman) | (Age::Young, Gender::Man)
    )
}

/// One of a non-empty constant list, each as likely.
fn pick<T: Copy>(alternatives: &[T], rng: &mut impl Rng) -> T {
    alternatives[rng.gen_range(0..alternatives.len())]
}

/// True with probability `p`, and unlike `gen_bool` defined for every `p` (below 0 is never, above 1 always).
fn chance(p: f64, rng: &mut impl Rng) -> bool {
    rng.gen_range(0.0..1.0) < p
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn faces(age: Age, gender: Gender, config: &WorldConfig) -> Vec<Face> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        (0..2000)
            .map(|_| Face::sample(&mut rng, age, gender, config))
            .collect()
    }

    fn share(faces: &[Face], is: impl Fn(&Face) -> bool) -> f64 {
        faces.iter().filter(|face| is(face)).count() as f64 / faces.len() as f64
    }

    #[test]
    fn attributes_occur_as_often_as_configured() {
        let config = WorldConfig::default();
        let old_men = faces(Age::Old, Gender::Man, &config);
        let near = |share: f64, p: f64| (share - p).abs() < 0.035;
        assert!(near(
            share(&old_men, |f| f.hair == Hair::Grey),
            config.p_grey
        ));
        assert!(near(share(&old_men, |f| f.glasses), config.p_glasses));
        assert!(near(share(&old_men, |f| f.hat.is_some()), config.p_hat));
        assert!(near(share(&old_men, |f| f.beard), config.p_beard));
        assert!(near(share(&old_men, |f| f.smile), config.p_smile));
        for &colour in Background::ALL {
            let share = share(&old_men, |f| f.background == colour);
            assert!(near(share, 0.125), "{colour:?}: {share}");
        }
    }

    #[test]
    fn hair_tells_no_age_and_women_have_no_beard() {
        let config = WorldConfig {
            p_beard: 1.0,
            ..WorldConfig::default()
        };
        let young_women = faces(Age::Young, Gender::Woman, &config);
        let old_men = faces(Age::Old, Gender::Man, &config);
        assert!(young_women.iter().all(|f| !f.beard) && old_men.iter().all(|f| f.beard));
        for &colour in Hair::ALL {
            for faces in [&young_women, &old_men] {
                let share = share(faces, |f| f.hair == colour);
                assert!((share - 0.2).abs() < 0.035, "{colour:?}: {share}");
            }
        }
    }

    #[test]
    fn one_probability_changes_only_its_attribute() {
        let pigmented = WorldConfig {
            p_grey: 0.0,
            ..WorldConfig::default()
        };
        let before = faces(Age::Old, Gender::Woman, &WorldConfig::default());
        let after = faces(Age::Old, Gender::Woman, &pigmented);
        for (a, b) in before.iter().zip(&after) {
            assert_ne!(b.hair, Hair::Grey);
            assert_eq!(*a, Face { hair: a.hair, ..*b });
        }
    }

    #[test]
    fn the_minority_is_old_women_and_young_men() {
        assert!(is_minority(Age::Old, Gender::Woman) && is_minority(Age::Young, Gender::Man));
        assert!(!is_minority(Age::Old, Gender::Man) && !is_minority(Age::Young, Gender::Woman));
    }
}
