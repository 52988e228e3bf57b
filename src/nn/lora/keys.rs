//! What an adapter's keys say: which network, which of its layers, which part of the change.

use super::Component;

/// What a tensor of an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `A`, `[rank, in]`.
    Down,
    /// `B`, `[out, rank]`.
    Up,
    /// The number that is divided by the rank.
    Alpha,
}

const ENDINGS: [(&str, Role); 11] = [
    (".lora_A.weight", Role::Down),
    (".lora_B.weight", Role::Up),
    (".lora_down.weight", Role::Down),
    (".lora_up.weight", Role::Up),
    (".lora.down.weight", Role::Down),
    (".lora.up.weight", Role::Up),
    (".lora_linear_layer.down.weight", Role::Down),
    (".lora_linear_layer.up.weight", Role::Up),
    // Attention processors: `….processor.to_q_lora.down.weight`.
    ("_lora.down.weight", Role::Down),
    ("_lora.up.weight", Role::Up),
    (".alpha", Role::Alpha),
];

/// The key without the part's name, and the part; `None` for what a LoRA has not.
pub(super) fn split(key: &str) -> Option<(&str, Role)> {
    ENDINGS
        .iter()
        .find_map(|&(ending, part)| Some((key.strip_suffix(ending)?, part)))
}

const PREFIXES: [(&str, Component); 7] = [
    ("unet.", Component::Unet),
    ("text_encoder.", Component::TextEncoder),
    ("text_encoder_2.", Component::TextEncoder2),
    ("lora_unet_", Component::Unet),
    ("lora_te_", Component::TextEncoder),
    ("lora_te1_", Component::TextEncoder),
    ("lora_te2_", Component::TextEncoder2),
];

/// The network and the layer in it, with underscores for dots. A key without a network's name is
/// the UNet's, as `unet.save_attn_procs` wrote it.
pub(super) fn place(stem: &str) -> (Component, String) {
    let (component, layer) = PREFIXES
        .iter()
        .find_map(|&(prefix, component)| Some((component, stem.strip_prefix(prefix)?)))
        .unwrap_or((Component::Unet, stem));
    // Layers of attention processors belong to the attention itself.
    (component, underscored(&layer.replace(".processor.", ".")))
}

/// Whether the key says to which network it belongs.
pub(super) fn names_network(stem: &str) -> bool {
    PREFIXES.iter().any(|(prefix, _)| stem.starts_with(prefix))
}

/// A name as kohya-ss writes it.
pub(super) fn underscored(name: &str) -> String {
    name.replace('.', "_")
}

/// Beginnings of the words between dots that tell other adapters.
const KINDS: [(&str, &str); 12] = [
    ("dora_scale", "a DoRA"),
    ("lora_magnitude_vector", "a DoRA"),
    ("hada_", "a LoHa"),
    ("lokr_", "a LoKr"),
    ("oft_", "an OFT"),
    ("lora_mid", "a LoCon with a Tucker core"),
    ("lora_embedding_", "a LoRA of an embedding"),
    ("diff", "a difference of whole weights"),
    ("w_norm", "a change of norms"),
    ("b_norm", "a change of norms"),
    ("on_input", "an IA3"),
    ("bias", "a LoRA with biases"),
];

/// What a key belongs to that is known and not implemented.
pub(super) fn foreign(key: &str) -> Option<&'static str> {
    if key.starts_with("base_model.") {
        return Some(
            "a PEFT folder with its alpha in adapter_config.json (save_lora_weights of Diffusers \
             writes one file)",
        );
    }
    // The first word is the layer's name.
    key.split('.').skip(1).find_map(|word| {
        KINDS
            .iter()
            .find_map(|&(begins, kind)| word.starts_with(begins).then_some(kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str) -> (Component, String, Role) {
        let (stem, part) = split(key).unwrap();
        let (component, layer) = place(stem);
        (component, layer, part)
    }

    #[test]
    fn every_format_gives_the_layer_and_the_part() {
        let q = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
        let unet = "down_blocks.0.attentions.0.transformer_blocks.0.attn1";
        for (key, part) in [
            (format!("unet.{unet}.to_q.lora_A.weight"), Role::Down),
            (format!("{unet}.to_q.lora_B.weight"), Role::Up),
            (format!("unet.{unet}.to_q.lora.up.weight"), Role::Up),
            (format!("unet.{unet}.to_q.alpha"), Role::Alpha),
            (
                format!("unet.{unet}.processor.to_q_lora.down.weight"),
                Role::Down,
            ),
            (format!("{unet}.processor.to_q_lora.up.weight"), Role::Up),
            (format!("lora_unet_{q}.lora_down.weight"), Role::Down),
            (format!("lora_unet_{q}.alpha"), Role::Alpha),
        ] {
            assert_eq!(read(&key), (Component::Unet, q.to_owned(), part), "{key}");
        }
        let text = "text_model_encoder_layers_0_mlp_fc1".to_owned();
        for (key, component) in [
            (
                "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_linear_layer.up.weight",
                Component::TextEncoder,
            ),
            (
                "text_encoder_2.text_model.encoder.layers.0.mlp.fc1.lora_B.weight",
                Component::TextEncoder2,
            ),
            (
                "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",
                Component::TextEncoder,
            ),
            (
                "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",
                Component::TextEncoder,
            ),
            (
                "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",
                Component::TextEncoder2,
            ),
        ] {
            assert_eq!(read(key), (component, text.clone(), Role::Up), "{key}");
        }
    }

    #[test]
    fn what_is_no_lora_has_no_part() {
        for key in [
            "conv_in.weight",
            "lora_unet_conv_in.lora_mid.weight",
            "alpha",
            "",
        ] {
            assert_eq!(split(key), None, "{key}");
        }
    }
}
