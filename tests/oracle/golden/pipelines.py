"""Golden pipelines for tests/library/pipelines.rs, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/pipelines.py

Folders under tests/golden/pipelines as save_pretrained writes them, with weights by formula
(weights.py) and UNets, autoencoder and tokenizer of other golden folders, and expected.safetensors:
what Diffusers makes in float32 of starting latents by noise.py, with and without a negative prompt,
as final latents and as the bytes of pictures. Run unet.py and vae.py first. Made with diffusers
0.42.1, transformers 5.23.0, torch 2.11.0.
"""

import json
import shutil

import diffusers
import numpy as np
import torch
import transformers
from diffusers import (AutoencoderKL, DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler,
                       PNDMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       StableUnCLIPImg2ImgPipeline, UNet2DConditionModel)
from diffusers.pipelines.stable_diffusion import pipeline_stable_unclip_img2img
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
    StableUnCLIPImageNormalizer)
from transformers import (CLIPImageProcessor, CLIPTextConfig, CLIPTextModel,
                          CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionConfig,
                          CLIPVisionModelWithProjection)

import noise
from weights import GOLDEN, describe, fresh, inputs, materialise, save_expected, shapes_of

diffusers.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()

PROMPT, NEGATIVE = "a photo of an old woman on grass", "a dog, snow"
#: Every image starts from the noise that hardlight gives this seed.
SEEDS = [7, 123456789]
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def text_config(width, layers, act, projection):
    return CLIPTextConfig(
        vocab_size=220, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=2, max_position_embeddings=24, hidden_act=act,
        projection_dim=projection, bos_token_id=218, eos_token_id=219, pad_token_id=219)


def unet(name):
    return UNet2DConditionModel.from_pretrained(materialise(name))


def vae():
    return AutoencoderKL.from_pretrained(materialise("vae/small"))


def tokenizer():
    return CLIPTokenizer.from_pretrained(GOLDEN / "tokenizer")


def publish(name, seed, pipeline, unet, given=None):
    """Makes tests/golden/pipelines/NAME; `unet` is where that one is already."""
    scratch, folder = fresh(), GOLDEN / "pipelines" / name
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.save_pretrained(scratch)
    parts = {"unet": unet, "vae": "vae/small"}
    parts |= {p.name: "tokenizer" for p in sorted(scratch.glob("tokenizer*"))}
    for path in sorted(p for p in scratch.rglob("*") if p.is_file()):
        to = folder / path.relative_to(scratch)
        if to.parent.name in parts:
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            describe(to, shapes_of(path), seed, (given or {}).get(to.parent.name))
        else:
            shutil.copyfile(path, to)
    (folder / "parts.json").write_text(json.dumps(parts) + "\n")
    return folder


def bytes_of(pictures):
    """[n, height, width, 3]."""
    return torch.tensor(np.stack([np.asarray(picture) for picture in pictures]))


def draw(name, kind, **arguments):
    pipeline = kind.from_pretrained(materialise(f"pipelines/{name}"), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    latents = torch.tensor(np.stack([noise.normal(seed, noise.START, (4, 8, 8)) for seed in SEEDS]))
    # The noise of a seed; the other channels show in what is made of it.
    out = {"initial": latents[:, 0]}
    for key, negative in [("plain", None), ("negative", NEGATIVE)]:
        common = dict(prompt=[PROMPT] * 2, negative_prompt=negative and [negative] * 2,
                      num_inference_steps=4, guidance_scale=3.0, **arguments)
        final = pipeline(**common, latents=latents.clone(), output_type="latent").images
        images = pipeline(**common, latents=latents.clone(), output_type="pil").images
        out[f"{key}_final"], out[f"{key}_images"] = final, bytes_of(images)
    save_expected(f"pipelines/{name}", **out)


def write(name, seed, pipeline, unet):
    publish(name, seed, pipeline, unet)
    draw(name, type(pipeline))


def noise_of_embeddings(shape, **_):
    assert shape == (2, 6), shape
    return torch.tensor(np.stack([noise.normal(seed, noise.EMBEDDING, (6,)) for seed in SEEDS]))


def main():
    pipeline_stable_unclip_img2img.randn_tensor = noise_of_embeddings
    # SD 1.x: its own scheduler as published.
    write("sd1", 31, StableDiffusionPipeline(
        vae=vae(), text_encoder=CLIPTextModel(text_config(8, 2, "quick_gelu", 8)),
        tokenizer=tokenizer(), unet=unet("unet/sd1"),
        scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1,
                                set_alpha_to_one=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False), "unet/sd1")
    # SD 2.1: GELU, linear projections, v, and the noise schedule that ends in pure noise.
    write("sd2", 41, StableDiffusionPipeline(
        vae=vae(), text_encoder=CLIPTextModel(text_config(10, 2, "gelu", 8)),
        tokenizer=tokenizer(), unet=unet("unet/sd2"),
        scheduler=DDIMScheduler(**BETAS, steps_offset=1, set_alpha_to_one=False, clip_sample=False,
                                prediction_type="v_prediction", rescale_betas_zero_snr=True,
                                timestep_spacing="trailing"),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False), "unet/sd2")
    # SDXL: two text encoders, and a VAE that says otherwise.
    pipeline = StableDiffusionXLPipeline(
        vae=vae(), text_encoder=CLIPTextModel(text_config(4, 3, "quick_gelu", 8)),
        text_encoder_2=CLIPTextModelWithProjection(text_config(8, 2, "gelu", 6)),
        tokenizer=tokenizer(), tokenizer_2=tokenizer(), unet=unet("unet/xl"),
        scheduler=EulerDiscreteScheduler(**BETAS, steps_offset=1, timestep_spacing="leading"),
        force_zeros_for_empty_prompt=True, add_watermarker=False)
    folder = publish("xl", 51, pipeline, "unet/xl") / "vae"
    config = json.loads((GOLDEN / "vae/small/config.json").read_text())
    folder.mkdir()
    config |= {"scaling_factor": 0.13025, "force_upcast": True}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    draw("xl", StableDiffusionXLPipeline)
    # Stable unCLIP: an image embedding, noised.
    generator = torch.Generator().manual_seed(60)
    given = {"image_normalizer": {
        "mean": torch.randn(6, generator=generator).half().tolist(),
        "std": (torch.rand(6, generator=generator) + 0.5).half().tolist(),
    }}
    vision = CLIPVisionConfig(hidden_size=8, intermediate_size=16, num_hidden_layers=1,
                              num_attention_heads=2, image_size=8, patch_size=4, projection_dim=6)
    pipeline = StableUnCLIPImg2ImgPipeline(
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": 8},
                                             crop_size={"height": 8, "width": 8}),
        image_encoder=CLIPVisionModelWithProjection(vision),
        image_normalizer=StableUnCLIPImageNormalizer(6),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=tokenizer(), text_encoder=CLIPTextModel(text_config(10, 2, "gelu", 8)),
        unet=unet("unet/unclip"),
        scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1,
                                set_alpha_to_one=False, prediction_type="v_prediction"),
        vae=vae())
    publish("unclip", 61, pipeline, "unet/unclip", given)
    embeddings = inputs("pipelines/unclip", 61, image_embeds=(2, 6))
    draw("unclip", StableUnCLIPImg2ImgPipeline, **embeddings, noise_level=300)


if __name__ == "__main__":
    main()
