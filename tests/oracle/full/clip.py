"""CLIP, open_clip and SigLIP of the true architectures, and the towers that diffusion models carry.

    .venv-oracle/bin/python tests/oracle/full/clip.py CASE FOLDER
"""

import json

import open_clip
import torch
import transformers
from safetensors.torch import save_file
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
)

import common

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

BEGIN, END = 49406, 49407


def layers(width, inner, count, heads, **more):
    return dict(hidden_size=width, intermediate_size=inner, num_hidden_layers=count,
                num_attention_heads=heads) | more


# OpenAI's, some with the end token as its old configs have it.
TEXT_B = layers(512, 2048, 12, 8, hidden_act="quick_gelu", eos_token_id=2)
TEXT_L = layers(768, 3072, 12, 12, hidden_act="quick_gelu", eos_token_id=END)
VISION_B = layers(768, 3072, 12, 12, hidden_act="quick_gelu")
VISION_L = layers(1024, 4096, 24, 16, hidden_act="quick_gelu", patch_size=14)
# LAION's.
TEXT_H = layers(1024, 4096, 23, 16, hidden_act="gelu", eos_token_id=END, pad_token_id=0)
TEXT_BIG_G = layers(1280, 5120, 32, 20, hidden_act="gelu", eos_token_id=2, projection_dim=1280)
VISION_H = layers(1280, 5120, 32, 16, hidden_act="gelu", patch_size=14, projection_dim=1024)


def captions(seed, pad, vocabulary=BEGIN, length=77):
    """Short, middling, one that fills the context."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.full((3, length), pad)
    for row, words in enumerate((5, 30, length - 2)):
        ids[row, 0] = BEGIN
        ids[row, 1:1 + words] = torch.randint(0, vocabulary, (words,), generator=generator)
        ids[row, 1 + words] = END
    return ids


def pictures(seed, side, count=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((count, 3, side, side), generator=generator)


def save_expected(folder, ids=None, **tensors):
    if ids is not None:
        # The reader knows floats only, and these are exact.
        tensors["ids"] = ids.float()
    common.save_tensors(folder / "expected.safetensors", **tensors)


def write(folder, model, **tensors):
    save_expected(folder, **tensors)
    model.save_pretrained(folder, max_shard_size="20GB")


def both(text, vision, dim, seed):
    def case(folder):
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=dim)
        model = common.scale_well(CLIPModel(config), seed)
        ids = captions(seed + 1, END)
        pixels = pictures(seed + 2, config.vision_config.image_size)
        write(folder, model, ids=ids, pixels=pixels,
              text_embeds=model.get_text_features(ids).pooler_output,
              image_embeds=model.get_image_features(pixels).pooler_output)

    return case


def own_names(name, seed):
    """A model of open_clip, as its hub folders hold it."""

    def case(folder):
        config = open_clip.get_model_config(name)
        model = common.scale_well(open_clip.create_model(name, pretrained=None), seed)
        for table in (model.positional_embedding, model.visual.positional_embedding):
            table.mul_(table.shape[1] ** 0.5)
        ids, pixels = captions(seed + 1, 0), pictures(seed + 2, 224)
        save_expected(folder, ids=ids, pixels=pixels, text_embeds=model.encode_text(ids),
                      image_embeds=model.encode_image(pixels))
        preprocess = {"mean": model.visual.image_mean, "std": model.visual.image_std}
        text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
        (folder / "open_clip_config.json").write_text(text)
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")

    return case


def siglip(folder):
    # Its defaults are google/siglip-base-patch16-224.
    model = common.scale_well(SiglipModel(SiglipConfig()), 7)
    model.vision_model.head.probe.mul_(768**0.5)
    # Padding is 1 there, and the embedding is read at the last place all the same.
    generator = torch.Generator().manual_seed(8)
    ids = torch.ones((3, 64), dtype=torch.long)
    for row, words in enumerate((4, 20, 64)):
        ids[row, :words] = torch.randint(2, 32000, (words,), generator=generator)
    pixels = pictures(9, 224)
    write(folder, model, ids=ids, pixels=pixels,
          text_embeds=model.get_text_features(ids).pooler_output,
          image_embeds=model.get_image_features(pixels).pooler_output)


def text(config, pad, seed):
    def case(folder):
        model = common.scale_well(CLIPTextModel(CLIPTextConfig(**config)), seed)
        ids = captions(seed + 1, pad)
        out = model(ids, output_hidden_states=True)
        write(folder, model, ids=ids, hidden=out.last_hidden_state, pooled=out.pooler_output,
              penultimate=out.hidden_states[-2])

    return case


def text_with_projection(config, seed):
    def case(folder):
        model = common.scale_well(CLIPTextModelWithProjection(CLIPTextConfig(**config)), seed)
        ids = captions(seed + 1, 0)
        out = model(ids, output_hidden_states=True)
        write(folder, model, ids=ids, penultimate=out.hidden_states[-2],
              text_embeds=out.text_embeds)

    return case


def vision_with_projection(config, seed):
    def case(folder):
        model = common.scale_well(CLIPVisionModelWithProjection(CLIPVisionConfig(**config)), seed)
        pixels = pictures(seed + 1, 224)
        write(folder, model, pixels=pixels, image_embeds=model(pixels).image_embeds)

    return case


if __name__ == "__main__":
    common.main({
        "vit-b-32": both(TEXT_B, VISION_B | dict(patch_size=32), 512, 1),
        "vit-b-16": both(TEXT_B | dict(eos_token_id=END), VISION_B | dict(patch_size=16), 512, 2),
        "vit-l-14": both(TEXT_L, VISION_L, 768, 3),
        "vit-l-14-336": both(TEXT_L, VISION_L | dict(image_size=336), 768, 4),
        "open-clip-vit-b-32": own_names("ViT-B-32", 5),
        "open-clip-vit-b-32-quickgelu": own_names("ViT-B-32-quickgelu", 15),
        "open-clip-vit-h-14": own_names("ViT-H-14", 6),
        "siglip-base": siglip,
        "sdxl-text-1": text(TEXT_L, END, 8),
        "sdxl-text-2": text_with_projection(TEXT_BIG_G, 9),
        "sd2-text": text(TEXT_H, 0, 10),
        # Of the small Stable unCLIP 2.1, and of the large one.
        "unclip-image-l": vision_with_projection(VISION_L | dict(projection_dim=768), 11),
        "unclip-image-h": vision_with_projection(VISION_H, 12),
    })
