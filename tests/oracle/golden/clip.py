"""Golden CLIP towers for tests/models.rs, by Transformers.

    .venv-oracle/bin/python tests/oracle/golden/clip.py

Folders under tests/golden/clip as save_pretrained writes them (the weights of CLIPModel in float16,
those of CLIPTextModel in float32), and beside the weights expected.safetensors with inputs and
outputs in float32. Made with transformers 5.23.0, torch 2.11.0.
"""

import json

import torch
import transformers
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel

from weights import GOLDEN, save, save_expected, scale_well

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

# A small vocabulary: 40 is the end token of the new convention, and larger ids exist.
BEGIN, END, VOCABULARY, CONTEXT = 41, 40, 44, 10

# The end token early, late, repeated as padding, behind larger ids, and (last row) absent.
IDS = torch.tensor([
    [41, 3, 7, 40, 40, 40, 40, 40, 40, 40],
    [41, 5, 43, 9, 42, 40, 0, 0, 0, 0],
    [41, 1, 2, 3, 4, 5, 6, 7, 8, 40],
    [41, 12, 43, 43, 30, 22, 11, 2, 6, 9],
])


def text_config(activation, end, eps, **more):
    return {
        "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT, "hidden_act": activation,
        "bos_token_id": BEGIN, "eos_token_id": end, "pad_token_id": 0, "layer_norm_eps": eps,
        "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2,
    } | more


def towers(name, seed, activation, end, eps):
    vision = {
        "hidden_size": 24, "intermediate_size": 36, "num_hidden_layers": 2, "num_attention_heads": 3,
        "image_size": 12, "patch_size": 4, "hidden_act": activation, "layer_norm_eps": eps,
    }
    config = CLIPConfig(
        text_config=text_config(activation, end, eps), vision_config=vision, projection_dim=20
    )
    model = save(scale_well(CLIPModel(config), seed).half(), name)
    pixels = torch.randn((3, 3, 12, 12), generator=torch.Generator().manual_seed(seed + 1))
    with torch.no_grad():
        text = model.text_model(IDS)
        images = model.vision_model(pixels)
        save_expected(
            name,
            ids=IDS,
            pixels=pixels,
            hidden=text.last_hidden_state,
            pooled=text.pooler_output,
            text_embeds=model.text_projection(text.pooler_output),
            image_embeds=model.visual_projection(images.pooler_output),
        )


def text_encoder(name, seed):
    """The text tower alone, as in a Stable Diffusion folder."""
    config = CLIPTextConfig(**text_config("gelu", END, 1e-5, hidden_size=12, num_attention_heads=3))
    model = save(scale_well(CLIPTextModel(config), seed), name)
    with torch.no_grad():
        out = model(IDS)
    save_expected(name, ids=IDS, hidden=out.last_hidden_state, pooled=out.pooler_output)


def defaults():
    """What absent keys of a config mean."""
    text, vision = CLIPTextConfig().to_dict(), transformers.CLIPVisionConfig().to_dict()
    out = {"projection_dim": CLIPConfig().projection_dim, "text_config": text, "vision_config": vision}
    (GOLDEN / "clip" / "defaults.json").write_text(json.dumps(out, indent=1, sort_keys=True) + "\n")


def main():
    # OpenAI's: quick_gelu, and eos_token_id 2, which stands for "the largest id".
    towers("clip/quick_gelu", 1, "quick_gelu", end=2, eps=1e-5)
    # LAION's: gelu, and the end token by its id. The epsilon shows where it is not used.
    towers("clip/gelu", 2, "gelu", end=END, eps=1e-3)
    text_encoder("clip/text_encoder", 3)
    defaults()


if __name__ == "__main__":
    main()
