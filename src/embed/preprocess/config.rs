//! Reads the two kinds of preprocessing config.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Centre, Conversion, Filter, Kernel, Preprocess, PreprocessError, Target};
use crate::io;
use crate::nn::clip::form::Form;

/// The first CLIP, <https://github.com/openai/CLIP/blob/main/clip/clip.py>, `_transform`.
#[allow(clippy::excessive_precision, reason = "as published")]
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// As [`MEAN`].
#[allow(clippy::excessive_precision, reason = "as published")]
const STD: [f32; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];
/// The input of the first CLIP models, where a config does not say.
const SIDE: usize = 224;
/// No tower has a longer side; a larger number is a damaged file, not a request for memory.
const MAX_SIDE: u64 = 8192;

const SIDES: &str = "one or two side lengths from 1 to 8192 pixels";

pub(super) fn read(dir: &Path) -> Result<Preprocess, PreprocessError> {
    let theirs = ("preprocessor_config.json", transformers as fn(&File) -> _);
    let own = ("open_clip_config.json", open_clip as fn(&File) -> _);
    // Transformers 5 writes the whole processor into one file.
    let whole = ("processor_config.json", of_processor as fn(&File) -> _);
    let kinds = match Form::of(dir) {
        Form::OpenClip => [own, theirs, whole],
        Form::Transformers => [theirs, whole, own],
    };
    for (name, parse) in kinds {
        let path = dir.join(name);
        if path.is_file() {
            let value = serde_json::from_str(&io::read_to_string(&path)?).map_err(|source| {
                PreprocessError::Json {
                    path: path.clone(),
                    source,
                }
            })?;
            return parse(&File { path, value });
        }
    }
    Err(PreprocessError::Missing {
        dir: dir.to_path_buf(),
    })
}

/// What an image processor does where its config is silent.
struct Defaults {
    target: Target,
    crops: bool,
    mean: [f32; 3],
    std: [f32; 3],
}

/// `CLIPImageProcessor` (older: `CLIPFeatureExtractor`).
const CLIP: Defaults = Defaults {
    target: Target::Shortest(SIDE),
    crops: true,
    mean: MEAN,
    std: STD,
};

/// `SiglipImageProcessor`.
const SIGLIP: Defaults = Defaults {
    target: Target::Exact {
        height: SIDE,
        width: SIDE,
    },
    crops: false,
    mean: [0.5; 3],
    std: [0.5; 3],
};

/// What Transformers 5 saves of a processor, of which the image processor is a part.
fn of_processor(file: &File) -> Result<Preprocess, PreprocessError> {
    let Some(part) = file.get("image_processor").filter(|part| part.is_object()) else {
        return Err(file.wrong("image_processor", "the settings of an image processor"));
    };
    transformers(&File {
        path: file.path.clone(),
        value: part.clone(),
    })
}

/// The image processors of Transformers.
fn transformers(file: &File) -> Result<Preprocess, PreprocessError> {
    let mut defaults = CLIP;
    for key in ["image_processor_type", "feature_extractor_type"] {
        // Other processors have other defaults for the keys they leave out.
        match file.get(key).map(Value::as_str) {
            None => {}
            Some(Some(name)) if name.starts_with("CLIP") => {}
            Some(Some(name)) if name.starts_with("SiglipImageProcessor") => defaults = SIGLIP,
            Some(_) => return Err(file.wrong(key, "CLIPImageProcessor or SiglipImageProcessor")),
        }
    }
    if file.get("do_pad") == Some(&Value::Bool(true)) {
        return Err(file.wrong("do_pad", "false"));
    }
    let target = target(file, defaults.target)?;
    let crop = crop(file, defaults.crops, target)?;
    let factor = if file.flag("do_rescale", true)? {
        file.number("rescale_factor", 1.0 / 255.0)?
    } else {
        1.0
    };
    let normal = if file.flag("do_normalize", true)? {
        (
            file.triple("image_mean", defaults.mean)?,
            file.triple("image_std", defaults.std)?,
        )
    } else {
        ([0.0; 3], [1.0; 3])
    };
    if normal.1.iter().any(|&std| std <= 0.0) {
        return Err(file.wrong("image_std", "positive numbers"));
    }
    Ok(Preprocess {
        target,
        crop,
        filter: file.filter("resample")?,
        kernel: Kernel::Pil,
        centre: Centre::Transformers,
        conversion: if file.flag("do_convert_rgb", true)? {
            Conversion::OnWhite
        } else {
            Conversion::First
        },
        // Scaled in `f64`, stored and normalised in `f32`.
        values: values(normal, |byte| (f64::from(byte) * factor) as f32),
    })
}

/// What Transformers resizes to; none leaves the image as it is.
fn target(file: &File, default: Target) -> Result<Option<Target>, PreprocessError> {
    Ok(if file.flag("do_resize", true)? {
        Some(match file.get("size") {
            None => default,
            Some(Value::Number(_)) => Target::Shortest(file.side("size")?),
            Some(Value::Object(size)) if size.contains_key("shortest_edge") => {
                if size.contains_key("longest_edge") {
                    return Err(file.wrong("size", "shortest_edge alone, or height and width"));
                }
                Target::Shortest(file.side("size.shortest_edge")?)
            }
            Some(_) => exact(file.height_and_width("size")?),
        })
    } else {
        None
    })
}

/// Height and width that Transformers cuts out.
fn crop(
    file: &File,
    default: bool,
    target: Option<Target>,
) -> Result<(usize, usize), PreprocessError> {
    Ok(if file.flag("do_center_crop", default)? {
        match file.get("crop_size") {
            None => (SIDE, SIDE),
            Some(_) => file.height_and_width("crop_size")?,
        }
    } else if let Some(Target::Exact { height, width }) = target {
        (height, width)
    } else {
        return Err(file.wrong(
            "do_center_crop",
            "true, unless size gives height and width, since a tower takes images of one size",
        ));
    })
}

/// `open_clip`'s `preprocess_cfg`; the image size may stand in `model_cfg.vision_cfg` alone.
fn open_clip(file: &File) -> Result<Preprocess, PreprocessError> {
    let crop = match file.get("preprocess_cfg.size") {
        Some(_) => file.height_and_width("preprocess_cfg.size")?,
        None => match file.get("model_cfg.vision_cfg.image_size") {
            Some(_) => file.height_and_width("model_cfg.vision_cfg.image_size")?,
            None => (SIDE, SIDE),
        },
    };
    let key = "preprocess_cfg.resize_mode";
    let target = match file.get(key).map(Value::as_str) {
        None | Some(Some("shortest")) if crop.0 == crop.1 => Target::Shortest(crop.0),
        Some(Some("squash")) => exact(crop),
        _ => return Err(file.wrong(key, "\"shortest\" with a square size, or \"squash\"")),
    };
    let mode = "preprocess_cfg.mode";
    if file.get(mode).is_some_and(|value| value != "RGB") {
        return Err(file.wrong(mode, "\"RGB\""));
    }
    let std = file.triple("preprocess_cfg.std", STD)?;
    if std.iter().any(|&std| std <= 0.0) {
        return Err(file.wrong("preprocess_cfg.std", "positive numbers"));
    }
    Ok(Preprocess {
        target: Some(target),
        crop,
        filter: file.filter("preprocess_cfg.interpolation")?,
        kernel: Kernel::Pil,
        centre: Centre::Torchvision,
        conversion: Conversion::Last,
        values: values((file.triple("preprocess_cfg.mean", MEAN)?, std), |byte| {
            f32::from(byte) / 255.0
        }),
    })
}

fn exact((height, width): (usize, usize)) -> Target {
    Target::Exact { height, width }
}

/// The normalised value of every byte.
pub(super) fn values(
    (mean, std): ([f32; 3], [f32; 3]),
    scaled: impl Fn(u8) -> f32,
) -> Box<[[f32; 256]; 3]> {
    let mut values = Box::new([[0.0; 256]; 3]);
    for (channel, (mean, std)) in values.iter_mut().zip(mean.iter().zip(std)) {
        for (byte, value) in (0_u8..=255).zip(channel) {
            *value = (scaled(byte) - mean) / std;
        }
    }
    values
}

/// A config with the path that its errors name.
struct File {
    path: PathBuf,
    value: Value,
}

impl File {
    /// The value of a key, levels separated by dots; `null` counts as missing.
    fn get(&self, key: &str) -> Option<&Value> {
        key.split('.')
            .try_fold(&self.value, |value, level| value.get(level))
            .filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, expected: &'static str) -> PreprocessError {
        PreprocessError::Setting {
            path: self.path.clone(),
            key: key.to_owned(),
            found: self
                .get(key)
                .map_or_else(|| "missing".to_owned(), Value::to_string),
            expected,
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, PreprocessError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "true or false")),
        }
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, PreprocessError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value.as_f64().ok_or_else(|| self.wrong(key, "a number")),
        }
    }

    fn triple(&self, key: &str, default: [f32; 3]) -> Result<[f32; 3], PreprocessError> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let number = |value: &Value| value.as_f64().map(|number| number as f32);
        let triple = match value {
            Value::Array(list) => match list.as_slice() {
                [r, g, b] => number(r)
                    .zip(number(g))
                    .zip(number(b))
                    .map(|((r, g), b)| [r, g, b]),
                _ => None,
            },
            one => number(one).map(|number| [number; 3]),
        };
        triple.ok_or_else(|| self.wrong(key, "a list of 3 numbers"))
    }

    fn side(&self, key: &str) -> Result<usize, PreprocessError> {
        self.get(key)
            .and_then(side)
            .ok_or_else(|| self.wrong(key, SIDES))
    }

    /// A number, a list of height and width, or an object of both.
    fn height_and_width(&self, key: &str) -> Result<(usize, usize), PreprocessError> {
        let sides = match self.get(key) {
            Some(Value::Array(list)) => match list.as_slice() {
                [height, width] => side(height).zip(side(width)),
                _ => None,
            },
            Some(Value::Object(size)) => {
                let of = |name: &str| size.get(name).and_then(side);
                // Old files say {"shortest_edge": n} of a crop too.
                of("height")
                    .zip(of("width"))
                    .or_else(|| of("shortest_edge").map(|n| (n, n)))
            }
            Some(one) => side(one).map(|n| (n, n)),
            None => None,
        };
        sides.ok_or_else(|| self.wrong(key, SIDES))
    }

    /// Pillow's number of a filter, or its name.
    fn filter(&self, key: &str) -> Result<Filter, PreprocessError> {
        let Some(value) = self.get(key) else {
            return Ok(Filter::Bicubic);
        };
        match (value.as_u64(), value.as_str()) {
            (Some(2), _) | (_, Some("bilinear")) => Ok(Filter::Bilinear),
            (Some(3), _) | (_, Some("bicubic")) => Ok(Filter::Bicubic),
            _ => Err(self.wrong(key, "bicubic (3) or bilinear (2)")),
        }
    }
}

fn side(value: &Value) -> Option<usize> {
    let n = value.as_u64().filter(|n| (1..=MAX_SIDE).contains(n))?;
    usize::try_from(n).ok()
}
