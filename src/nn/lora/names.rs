//! The weight that a layer's name in an adapter means, among those that a checkpoint has.

use std::collections::BTreeMap;

use super::Component;
use super::keys::underscored;

/// The weights of one checkpoint.
pub(super) struct Names {
    component: Component,
    /// Underscored layer: name and shape of its weight. No two layers of these networks differ only
    /// in dots and underscores.
    weights: BTreeMap<String, (String, Vec<i64>)>,
    /// Blocks of the first Stable Diffusion code for every `down_blocks` entry: its residual blocks
    /// and the resampling after them.
    per_block: usize,
}

impl Names {
    pub(super) fn new<'a>(
        component: Component,
        tensors: impl IntoIterator<Item = (&'a str, Vec<i64>)>,
    ) -> Self {
        let mut weights = BTreeMap::new();
        for (name, shape) in tensors {
            if let Some(layer) = name.strip_suffix(".weight") {
                weights.insert(underscored(layer), (name.to_owned(), shape));
            }
        }
        let resnets = (0..weights.len())
            .take_while(|i| weights.contains_key(&format!("down_blocks_0_resnets_{i}_conv1")))
            .count();
        Self {
            component,
            weights,
            per_block: resnets + 1,
        }
    }

    /// Name and shape of the weight that an adapter calls `layer`.
    pub(super) fn find(&self, layer: &str) -> Option<(&str, &[i64])> {
        let others = match self.component {
            Component::Unet => vec![unet_processor(layer), unet_from_sgm(layer, self.per_block)],
            Component::TextEncoder | Component::TextEncoder2 => {
                // Transformers 5 names its layers without `text_model`, Transformers 4 with it.
                let layer = text_processor(layer).unwrap_or_else(|| layer.to_owned());
                let bare = layer.strip_prefix("text_model_").map(str::to_owned);
                vec![bare, Some(format!("text_model_{layer}")), Some(layer)]
            }
        };
        std::iter::once(layer)
            .chain(others.iter().flatten().map(String::as_str))
            .find_map(|layer| self.weights.get(layer))
            .map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }
}

/// Attention processors had no number after `to_out`.
fn unet_processor(layer: &str) -> Option<String> {
    layer.ends_with("_to_out").then(|| format!("{layer}_0"))
}

/// Attention processors had one set of names for all networks.
fn text_processor(layer: &str) -> Option<String> {
    [
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("to_out", "out"),
    ]
    .iter()
    .find_map(|(old, new)| Some((layer.strip_suffix(old)?, new)))
    .map(|(attention, new)| format!("{attention}{new}_proj"))
}

/// Whether the layer has its name in the first Stable Diffusion code.
pub(super) fn is_sgm(layer: &str) -> bool {
    ["input_blocks_", "middle_block_", "output_blocks_"]
        .iter()
        .any(|blocks| layer.starts_with(blocks))
}

/// Diffusers' name for a UNet layer of the first Stable Diffusion code (`sgm`, `ldm`).
///
/// Source: diffusers 0.42 `lora_conversion_utils.py`, `_maybe_map_sgm_blocks_to_diffusers` and
/// `_convert_unet_lora_key`.
fn unet_from_sgm(layer: &str, per_block: usize) -> Option<String> {
    let outside = match layer {
        "input_blocks_0_0" => Some("conv_in"),
        "out_2" => Some("conv_out"),
        "time_embed_0" => Some("time_embedding_linear_1"),
        "time_embed_2" => Some("time_embedding_linear_2"),
        "label_emb_0_0" => Some("add_embedding_linear_1"),
        "label_emb_0_2" => Some("add_embedding_linear_2"),
        _ => None,
    };
    if let Some(name) = outside {
        return Some(name.to_owned());
    }
    if let Some(rest) = layer.strip_prefix("input_blocks_") {
        let (at, rest) = number(rest)?;
        let (kind, rest) = number(rest)?;
        let (block, i) = (at.checked_sub(1)? / per_block, (at - 1) % per_block);
        Some(if rest == "op" {
            format!("down_blocks_{block}_downsamplers_0_conv")
        } else {
            format!("down_blocks_{block}_{}", inner(kind, i, rest)?)
        })
    } else if let Some(rest) = layer.strip_prefix("middle_block_") {
        let (at, rest) = number(rest)?;
        // A residual block, the transformer, a residual block.
        Some(format!("mid_block_{}", inner(at % 2, at / 2, rest)?))
    } else if let Some(rest) = layer.strip_prefix("output_blocks_") {
        let (at, rest) = number(rest)?;
        let (kind, rest) = number(rest)?;
        let (block, i) = (at / per_block, at % per_block);
        Some(if rest == "conv" {
            // After the transformer, or in its place.
            format!("up_blocks_{block}_upsamplers_0_conv")
        } else {
            format!("up_blocks_{block}_{}", inner(kind, i, rest)?)
        })
    } else {
        None
    }
}

/// A layer of the `i`-th residual block (`kind` 0) or transformer (`kind` 1).
fn inner(kind: usize, i: usize, layer: &str) -> Option<String> {
    if kind == 1 {
        return Some(format!("attentions_{i}_{layer}"));
    }
    let layer = match layer {
        "in_layers_2" => "conv1",
        "emb_layers_1" => "time_emb_proj",
        "out_layers_3" => "conv2",
        "skip_connection" => "conv_shortcut",
        _ => return None,
    };
    (kind == 0).then(|| format!("resnets_{i}_{layer}"))
}

/// The number that a name begins with, and what follows.
fn number(name: &str) -> Option<(usize, &str)> {
    let (digits, rest) = name.split_once('_').unwrap_or((name, ""));
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SDXL has two residual blocks in a level.
    #[test]
    fn layers_of_the_first_code_have_diffusers_names() {
        for (sgm, diffusers) in [
            ("input_blocks_0_0", "conv_in"),
            (
                "input_blocks_1_0_in_layers_2",
                "down_blocks_0_resnets_0_conv1",
            ),
            ("input_blocks_3_0_op", "down_blocks_0_downsamplers_0_conv"),
            (
                "input_blocks_4_0_skip_connection",
                "down_blocks_1_resnets_0_conv_shortcut",
            ),
            (
                "input_blocks_8_1_proj_out",
                "down_blocks_2_attentions_1_proj_out",
            ),
            (
                "middle_block_0_emb_layers_1",
                "mid_block_resnets_0_time_emb_proj",
            ),
            (
                "middle_block_1_transformer_blocks_9_ff_net_0_proj",
                "mid_block_attentions_0_transformer_blocks_9_ff_net_0_proj",
            ),
            ("middle_block_2_out_layers_3", "mid_block_resnets_1_conv2"),
            ("output_blocks_5_2_conv", "up_blocks_1_upsamplers_0_conv"),
            ("output_blocks_2_1_conv", "up_blocks_0_upsamplers_0_conv"),
            (
                "output_blocks_8_0_in_layers_2",
                "up_blocks_2_resnets_2_conv1",
            ),
            ("out_2", "conv_out"),
        ] {
            assert_eq!(unet_from_sgm(sgm, 3).as_deref(), Some(diffusers), "{sgm}");
        }
    }

    #[test]
    fn other_names_are_none_of_the_first_code() {
        for name in [
            "input_blocks_0_1_proj_in",
            "input_blocks_x_0_op",
            "input_blocks_1",
            "conv_in",
            "middle_block_0_norm",
            "",
        ] {
            assert_eq!(unet_from_sgm(name, 3), None, "{name}");
        }
    }
}
