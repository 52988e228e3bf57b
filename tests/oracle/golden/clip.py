"""Golden CLIP and SigLIP towers for tests/library/models, by Transformers, open_clip and Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/clip.py

Folders under tests/golden/clip as the libraries write them, with weights and pixels by formula
(weights.py), and expected.safetensors with the outputs in float32. Made with transformers 5.23.0,
open_clip 3.3.0, diffusers 0.42.1, torch 2.11.0.
"""

import json

import open_clip
import torch
import transformers
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker, safety_checker
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipConfig,
    SiglipModel,
    SiglipTextConfig,
    SiglipVisionConfig,
)

from weights import (
    GOLDEN, fresh, inputs, materialise, publish, publish_model, save_expected,
)

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
        "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2,
    } | more


def vision_config(activation, eps, **more):
    return {
        "hidden_size": 12, "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 3,
        "image_size": 9, "patch_size": 3, "hidden_act": activation, "layer_norm_eps": eps,
    } | more


PIXELS = (3, 3, 9, 9)


def towers(name, seed, activation, end, eps):
    config = CLIPConfig(
        text_config=text_config(activation, end, eps),
        vision_config=vision_config(activation, eps),
        projection_dim=6,
    )
    model = publish_model(CLIPModel(config), name, seed)
    pixels = inputs(name, seed, {"ids": IDS}, pixels=PIXELS)["pixels"]
    with torch.no_grad():
        text = model.text_model(IDS)
        images = model.vision_model(pixels)
        save_expected(
            name,
            hidden=text.last_hidden_state,
            pooled=text.pooler_output,
            text_embeds=model.text_projection(text.pooler_output),
            image_embeds=model.visual_projection(images.pooler_output),
        )


def text_encoder(name, seed):
    """The text tower alone, as in a Stable Diffusion folder; its weights are not rounded."""
    config = CLIPTextConfig(**text_config("gelu", END, 1e-5, num_attention_heads=4))
    model = publish_model(CLIPTextModel(config), name, seed, dtype="F32")
    inputs(name, seed, {"ids": IDS})
    with torch.no_grad():
        out = model(IDS)
    save_expected(name, hidden=out.last_hidden_state, pooled=out.pooler_output)


def text_with_projection(name, seed):
    """SDXL's second text encoder."""
    config = CLIPTextConfig(**text_config("gelu", 2, 1e-5, num_hidden_layers=3, projection_dim=6))
    model = publish_model(CLIPTextModelWithProjection(config), name, seed)
    ids = IDS[::2]
    inputs(name, seed, {"ids": ids})
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
    states = {f"state_{i}": state for i, state in enumerate(out.hidden_states)}
    save_expected(name, hidden=out.last_hidden_state, text_embeds=out.text_embeds, **states)


def vision_with_projection(name, seed):
    """The image encoder of Stable unCLIP."""
    config = CLIPVisionConfig(**vision_config("quick_gelu", 1e-5, projection_dim=6))
    model = publish_model(CLIPVisionModelWithProjection(config), name, seed)
    pixels = inputs(name, seed, pixels=PIXELS)["pixels"]
    with torch.no_grad():
        save_expected(name, image_embeds=model(pixels).image_embeds)


def open_clip_towers(name, seed, quick_gelu):
    """A CLIP in open_clip's own names and with its own config."""
    config = {
        "embed_dim": 6, "quick_gelu": quick_gelu,
        "vision_cfg": {
            "image_size": 9, "layers": 2, "width": 12, "head_width": 4, "patch_size": 3, "mlp_ratio": 1.55,
        },
        "text_cfg": {
            "context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 8, "heads": 2, "layers": 2,
        },
    }
    if not quick_gelu:
        del config["quick_gelu"]
    model = open_clip.CLIP(**config).eval()
    folder, file = fresh(), "open_clip_model.safetensors"
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n")
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / file)
    weights = load_file(publish(folder, name, seed) / file)
    model.load_state_dict({key: value.float() for key, value in weights.items()})
    pixels = inputs(name, seed, {"ids": IDS}, pixels=PIXELS)["pixels"]
    with torch.no_grad():
        save_expected(
            name, text_embeds=model.encode_text(IDS), image_embeds=model.encode_image(pixels)
        )


def siglip(name, seed):
    text = text_config("gelu_pytorch_tanh", END, 1e-6, projection_size=12)
    config = SiglipConfig(text_config=text, vision_config=vision_config("gelu_pytorch_tanh", 1e-6))
    model = publish_model(SiglipModel(config), name, seed)
    pixels = inputs(name, seed, {"ids": IDS}, pixels=PIXELS)["pixels"]
    with torch.no_grad():
        save_expected(
            name,
            text_embeds=model.get_text_features(IDS).pooler_output,
            image_embeds=model.get_image_features(pixels).pooler_output,
        )


def safety(name, seed):
    """The safety checker. Of six images the first is flagged for special care alone, the next two
    are not, though the second is as near to a concept; the others are left to chance."""
    config = CLIPConfig(vision_config=vision_config("quick_gelu", 1e-5), projection_dim=6)
    model = publish_model(StableDiffusionSafetyChecker(config), name, seed)
    with torch.no_grad():
        pixels = inputs(name, seed, pixels=(6, *PIXELS[1:]))["pixels"]
        embeds = model.visual_projection(model.vision_model(pixels).pooler_output)
        special = safety_checker.cosine_distance(embeds, model.special_care_embeds)
        concepts = safety_checker.cosine_distance(embeds, model.concept_embeds)
        special_thresholds = torch.full((3,), 0.99)
        near = int((special[0] - special[1]).argmax())
        special_thresholds[near] = special[:2, near].mean()
        nearest = concepts[:3].max(dim=0)
        thresholds = nearest.values + 0.02
        for image in range(2):
            concept = int((nearest.indices == image).int().argmax())
            thresholds[concept] = nearest.values[concept] + 0.005
    given = {"special_care_embeds_weights": special_thresholds, "concept_embeds_weights": thresholds}
    given = {key: value.half().tolist() for key, value in given.items()}
    model = publish_model(model, name, seed, given)
    inputs(name, seed, pixels=(6, *PIXELS[1:]))
    # The checker throws its scores away; they all pass through `round`.
    scores = []
    safety_checker.round = lambda *args: scores.append(round(*args)) or scores[-1]
    _, flags = model(pixels, [torch.ones(1) for _ in pixels])
    del safety_checker.round
    assert flags[:3] == [True, False, False] and any(flags[3:]), flags
    scores = torch.tensor([float(score) for score in scores]).view(len(pixels), 3 + 17)
    save_expected(name, flags=torch.tensor(flags).to(torch.uint8), scores=scores)


def defaults():
    """What absent keys of a config mean."""
    text, vision = CLIPTextConfig().to_dict(), transformers.CLIPVisionConfig().to_dict()
    out = {"projection_dim": CLIPConfig().projection_dim, "text_config": text, "vision_config": vision}
    (GOLDEN / "clip" / "defaults.json").write_text(json.dumps(out, indent=1, sort_keys=True) + "\n")
    text, vision = SiglipTextConfig().to_dict(), SiglipVisionConfig().to_dict()
    out = {"text_config": text, "vision_config": vision}
    path = GOLDEN / "clip" / "siglip_defaults.json"
    path.write_text(json.dumps(out, indent=1, sort_keys=True) + "\n")


def main():
    # OpenAI's: quick_gelu, and eos_token_id 2, which stands for "the largest id".
    towers("clip/quick_gelu", 1, "quick_gelu", end=2, eps=1e-5)
    # LAION's: gelu, and the end token by its id. The epsilon shows where it is not used.
    towers("clip/gelu", 2, "gelu", end=END, eps=1e-3)
    text_encoder("clip/text_encoder", 3)
    text_with_projection("clip/text_with_projection", 4)
    vision_with_projection("clip/vision_with_projection", 5)
    open_clip_towers("clip/open_clip", 6, quick_gelu=False)
    open_clip_towers("clip/open_clip_quick", 7, quick_gelu=True)
    siglip("clip/siglip", 8)
    safety("clip/safety_checker", 9)
    defaults()


if __name__ == "__main__":
    main()
