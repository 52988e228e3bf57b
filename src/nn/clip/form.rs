//! Which library's files a CLIP folder is read by.

use std::path::Path;

/// The library whose config, weights, tokenizer and preprocessing a folder is taken as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `config.json` and `model.safetensors`: CLIP and `SigLIP` of Transformers.
    Transformers,
    /// `open_clip_config.json` and `open_clip_model.safetensors`.
    OpenClip,
}

/// What the name of weights may end in, as `nn::params::weights` looks for them.
const WEIGHTS: [&str; 4] = [
    ".safetensors",
    ".safetensors.index.json",
    ".fp16.safetensors",
    ".safetensors.index.fp16.json",
];

impl Form {
    /// Looks at what is there. LAION's repositories hold both forms, some of them with Transformers'
    /// weights as a pickle alone: a folder with both configs is `open_clip`'s only where it has
    /// `open_clip`'s weights and not Transformers'.
    pub fn of(dir: &Path) -> Self {
        let there = |name: &str| dir.join(name).is_file();
        let weights = |stem: &str| WEIGHTS.iter().any(|end| there(&format!("{stem}{end}")));
        let open_clip = there("open_clip_config.json")
            && (!there("config.json") || (weights("open_clip_model") && !weights("model")));
        if open_clip {
            Self::OpenClip
        } else {
            Self::Transformers
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_told_by_their_files() {
        let (config, own) = ("config.json", "open_clip_config.json");
        let (weights, own_weights) = ("model.safetensors", "open_clip_model.safetensors");
        for (files, form) in [
            (&[][..], Form::Transformers),
            (&[config], Form::Transformers),
            (&[own], Form::OpenClip),
            (&[own, weights], Form::OpenClip),
            (&[config, own], Form::Transformers),
            (&[config, own, own_weights], Form::OpenClip),
            (&[config, own, own_weights, weights], Form::Transformers),
            (
                &[config, own, own_weights, "model.fp16.safetensors"],
                Form::Transformers,
            ),
            (&[config, own_weights], Form::Transformers),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in files {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            assert_eq!(Form::of(folder.path()), form, "{files:?}");
        }
    }
}
