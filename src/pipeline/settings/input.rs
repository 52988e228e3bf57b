//! What a TorchScript takes, as settings say it.

use serde::{Deserialize, Serialize};

use super::range::refuse;
use super::{Data, SettingsError};
use crate::embed::preprocess::{Preprocess, Resize};
use crate::embed::resize::Filter;

/// No network takes a longer side, px.
const MAX_SIDE: usize = 8192;

/// The sides of an image, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a side, or [height, width]")]
pub enum Sides {
    /// All alike.
    Square(usize),
    /// Height and width.
    HeightWidth([usize; 2]),
}

impl Sides {
    /// Height and width.
    pub fn height_width(self) -> (usize, usize) {
        match self {
            Self::Square(side) => (side, side),
            Self::HeightWidth([height, width]) => (height, width),
        }
    }
}

/// How an image gets the size of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a length in pixels, \"squash\" or \"none\""
)]
pub enum ResizeTo {
    /// The shorter side gets this length, px, and the middle is cut out.
    Shorter(usize),
    /// Another way.
    Other(Otherwise),
}

/// How an image gets the size of the input, if not by its shorter side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// Both sides to the input's, whatever the proportion.
    Squash,
    /// The middle is cut out.
    None,
}

/// How pixels are resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resampling {
    /// Pillow's bilinear.
    Bilinear,
    /// Pillow's bicubic.
    Bicubic,
}

impl Data {
    /// Checks what is said of a TorchScript's input.
    pub(super) fn check_classifier(&self) -> Result<(), SettingsError> {
        let side = |side: usize| (1..=MAX_SIDE).contains(&side);
        let (height, width) = self.input().height_width();
        if !(side(height) && side(width)) {
            let value = format!("{height} x {width}");
            return refuse("data.classifier_input", value, "sides from 1 to 8192");
        }
        let (key, expected) = ("data.classifier_resize", "a length from 1 to 8192");
        match self.classifier_resize {
            Some(ResizeTo::Shorter(length)) if !side(length) => {
                return refuse(key, length, expected);
            }
            None if (height, width) != (224, 224) && self.classifier.is_some() => {
                let expected = "a length, \"squash\" or \"none\" wherever data.classifier_input is \
                                not 224";
                return refuse(key, "absent", expected);
            }
            _ => {}
        }
        let finite = self.classifier_mean.iter().all(|mean| mean.is_finite());
        if !finite {
            let value = format!("{:?}", self.classifier_mean);
            return refuse("data.classifier_mean", value, "finite numbers");
        }
        if !self
            .classifier_std
            .iter()
            .all(|std| std.is_finite() && *std > 0.0)
        {
            let value = format!("{:?}", self.classifier_std);
            return refuse("data.classifier_std", value, "numbers above 0");
        }
        if self.classifier_batch == 0 {
            return refuse("data.classifier_batch", 0, "at least 1");
        }
        Ok(())
    }

    /// What a TorchScript takes: ImageNet's 224 px unless said.
    pub fn input(&self) -> Sides {
        self.classifier_input.unwrap_or(Sides::Square(224))
    }

    /// The preprocessing of a TorchScript.
    pub fn preprocess(&self) -> Preprocess {
        let resize = match self.classifier_resize {
            None => Resize::Shorter(256),
            Some(ResizeTo::Shorter(length)) => Resize::Shorter(length),
            Some(ResizeTo::Other(Otherwise::Squash)) => Resize::Squash,
            Some(ResizeTo::Other(Otherwise::None)) => Resize::Keep,
        };
        let filter = match self.classifier_filter {
            Resampling::Bilinear => Filter::Bilinear,
            Resampling::Bicubic => Filter::Bicubic,
        };
        let single = |values: [f64; 3]| values.map(|value| value as f32);
        Preprocess::torchvision(
            self.input().height_width(),
            resize,
            filter,
            single(self.classifier_mean),
            single(self.classifier_std),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn set(texts: &[&str]) -> Result<Data, SettingsError> {
        let texts: Vec<String> = texts.iter().map(|text| format!("data.{text}")).collect();
        let settings = Settings::read(None, &texts)?.check()?;
        Ok(settings.into_inner().data)
    }

    #[test]
    fn sizes_are_read_in_each_form() {
        let data = set(&["classifier_input=[6, 9]", "classifier_resize=squash"]).unwrap();
        assert_eq!(data.preprocess().output_size(), (6, 9));
        assert_eq!(
            data.classifier_resize,
            Some(ResizeTo::Other(Otherwise::Squash))
        );
        let data = set(&["classifier_input=299", "classifier_resize=342"]).unwrap();
        assert_eq!(data.classifier_resize, Some(ResizeTo::Shorter(342)));
        assert_eq!(data.preprocess().output_size(), (299, 299));
        let data = set(&["classifier_resize=none", "classifier_filter=bicubic"]).unwrap();
        assert_ne!(data.preprocess(), Data::default().preprocess());
        // A folder of settings without a classifier need not speak of its input.
        assert!(set(&["classifier_input=32"]).is_ok());
    }

    #[test]
    fn numbers_out_of_range_name_their_key() {
        for (text, key) in [
            ("classifier_input=9000", "data.classifier_input"),
            ("classifier_resize=0", "data.classifier_resize"),
            ("classifier_mean=[nan, 0, 0]", "data.classifier_mean"),
            ("classifier_std=[1, -1, 1]", "data.classifier_std"),
            ("classifier_batch=0", "data.classifier_batch"),
        ] {
            let error = set(&[text]).unwrap_err();
            assert!(
                matches!(&error, SettingsError::Range { key: found, .. } if found == key),
                "{error:?}"
            );
        }
        let error = set(&["classifier=model.pt", "classifier_input=32"]).unwrap_err();
        assert!(
            error.to_string().contains("classifier_resize is absent"),
            "{error}"
        );
    }
}
