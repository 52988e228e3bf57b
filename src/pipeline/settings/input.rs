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
    /// Refuses what is said of a TorchScript's input where there is none to be given it.
    fn check_is_script(&self) -> Result<(), SettingsError> {
        let expected = match &self.classifier {
            None => "no value without data.classifier",
            Some(path) if path.is_dir() => {
                "no value for a hardlight-cnn folder, which says itself what it takes"
            }
            Some(_) => return Ok(()),
        };
        let usual = Self::default();
        let said = [
            (
                "data.classifier_input",
                self.classifier_input != usual.classifier_input,
            ),
            (
                "data.classifier_resize",
                self.classifier_resize != usual.classifier_resize,
            ),
            (
                "data.classifier_filter",
                self.classifier_filter != usual.classifier_filter,
            ),
            (
                "data.classifier_mean",
                self.classifier_mean != usual.classifier_mean,
            ),
            (
                "data.classifier_std",
                self.classifier_std != usual.classifier_std,
            ),
            (
                "data.classifier_batch",
                self.classifier_batch != usual.classifier_batch,
            ),
            (
                "data.classifier_output",
                self.classifier_output != usual.classifier_output,
            ),
        ];
        match said.into_iter().find(|(_, said)| *said) {
            None => Ok(()),
            Some((key, _)) => refuse(key, "given", expected),
        }
    }

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
        self.check_is_script()
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
        let script = |texts: &[&str]| set(&[texts, &["classifier=model.pt"]].concat()).unwrap();
        let data = script(&["classifier_input=[6, 9]", "classifier_resize=squash"]);
        assert_eq!(data.preprocess().output_size(), (6, 9));
        assert_eq!(
            data.classifier_resize,
            Some(ResizeTo::Other(Otherwise::Squash))
        );
        let data = script(&["classifier_input=299", "classifier_resize=342"]);
        assert_eq!(data.classifier_resize, Some(ResizeTo::Shorter(342)));
        assert_eq!(data.preprocess().output_size(), (299, 299));
        let data = script(&["classifier_resize=none", "classifier_filter=bicubic"]);
        assert_ne!(data.preprocess(), Data::default().preprocess());
    }

    #[test]
    fn what_no_torchscript_is_given_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let cnn = format!("classifier={}", folder.path().display());
        for (text, key) in [
            ("classifier_input=224", "data.classifier_input"),
            ("classifier_mean=[0.5,0.5,0.5]", "data.classifier_mean"),
            ("classifier_output=1", "data.classifier_output"),
        ] {
            for settings in [vec![text], vec![text, &cnn]] {
                let error = set(&settings).unwrap_err().to_string();
                assert!(error.contains(key), "{settings:?}: {error}");
            }
            assert!(
                set(&[text, "classifier=x.pt", "classifier_resize=none"]).is_ok(),
                "{text}"
            );
        }
        // What `hardlight init` writes out.
        assert!(set(&["classifier_filter=bilinear", "classifier_batch=32"]).is_ok());
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
