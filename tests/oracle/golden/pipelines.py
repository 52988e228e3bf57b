"""Golden pipelines for tests/pipelines.rs, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/pipelines.py

Folders under tests/golden/pipelines as save_pretrained writes them (weights in float16), and in each
expected.safetensors: the starting latents, and what Diffusers makes of them in float32, with and
without a negative prompt. Made with diffusers 0.42.1, transformers 5.23.0, torch 2.11.0.
"""

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
from weights import GOLDEN, save_expected, scale_well

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


def unet(seed, context, **config):
    return scale_well(UNet2DConditionModel(
        sample_size=8, block_out_channels=[4, 8], norm_num_groups=2, layers_per_block=1,
        cross_attention_dim=context, **config), seed)


SD = dict(down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
          up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"])


def vae(seed, **config):
    return scale_well(AutoencoderKL(
        block_out_channels=[4, 8], norm_num_groups=2, layers_per_block=1, latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
        **config), seed)


def tokenizer():
    return CLIPTokenizer.from_pretrained(GOLDEN / "tokenizer")


def write(name, pipeline, **arguments):
    folder = GOLDEN / "pipelines" / name
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.half()
    pipeline.save_pretrained(folder)
    pipeline = type(pipeline).from_pretrained(folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    latents = torch.tensor(np.stack([noise.normal(seed, noise.START, (4, 8, 8)) for seed in SEEDS]))
    out = {"initial": latents}
    for key, negative in [("plain", None), ("negative", NEGATIVE)]:
        common = dict(prompt=[PROMPT] * 2, negative_prompt=negative and [negative] * 2,
                      num_inference_steps=4, guidance_scale=3.0, **arguments)
        final = pipeline(**common, latents=latents.clone(), output_type="latent").images
        images = pipeline(**common, latents=latents.clone(), output_type="pt").images
        out[f"{key}_final"], out[f"{key}_images"] = final, images
    for key, value in arguments.items():
        if isinstance(value, torch.Tensor):
            out[key] = value
    save_expected(f"pipelines/{name}", **out)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)


def noise_of_embeddings(shape, **_):
    assert shape == (2, 6), shape
    return torch.tensor(np.stack([noise.normal(seed, noise.EMBEDDING, (6,)) for seed in SEEDS]))


def main():
    pipeline_stable_unclip_img2img.randn_tensor = noise_of_embeddings
    # SD 1.x: its own scheduler as published.
    write("sd1", StableDiffusionPipeline(
        vae=vae(31), text_encoder=scale_well(CLIPTextModel(text_config(8, 2, "quick_gelu", 8)), 32),
        tokenizer=tokenizer(), unet=unet(33, 8, attention_head_dim=2, **SD),
        scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1,
                                set_alpha_to_one=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False))
    # SD 2.1: GELU, linear projections, v, and the noise schedule that ends in pure noise.
    write("sd2", StableDiffusionPipeline(
        vae=vae(41), text_encoder=scale_well(CLIPTextModel(text_config(12, 2, "gelu", 8)), 42),
        tokenizer=tokenizer(),
        unet=unet(43, 12, attention_head_dim=[2, 4], use_linear_projection=True, **SD),
        scheduler=DDIMScheduler(**BETAS, steps_offset=1, set_alpha_to_one=False, clip_sample=False,
                                prediction_type="v_prediction", rescale_betas_zero_snr=True,
                                timestep_spacing="trailing"),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False))
    # SDXL: two text encoders.
    write("xl", StableDiffusionXLPipeline(
        vae=vae(51, scaling_factor=0.13025, force_upcast=True),
        text_encoder=scale_well(CLIPTextModel(text_config(8, 3, "quick_gelu", 8)), 52),
        text_encoder_2=scale_well(
            CLIPTextModelWithProjection(text_config(12, 2, "gelu", 6)), 53),
        tokenizer=tokenizer(), tokenizer_2=tokenizer(),
        unet=unet(54, 20, attention_head_dim=[1, 2], use_linear_projection=True,
                  transformer_layers_per_block=[1, 2], addition_embed_type="text_time",
                  addition_time_embed_dim=4, projection_class_embeddings_input_dim=30,
                  down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
                  up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"]),
        scheduler=EulerDiscreteScheduler(**BETAS, steps_offset=1, timestep_spacing="leading"),
        force_zeros_for_empty_prompt=True, add_watermarker=False))
    # Stable unCLIP: an image embedding, noised.
    normalizer = StableUnCLIPImageNormalizer(6)
    generator = torch.Generator().manual_seed(60)
    with torch.no_grad():
        normalizer.mean.copy_(torch.randn((1, 6), generator=generator))
        normalizer.std.copy_(torch.rand((1, 6), generator=generator) + 0.5)
    vision = CLIPVisionConfig(hidden_size=8, intermediate_size=16, num_hidden_layers=1,
                              num_attention_heads=2, image_size=8, patch_size=4, projection_dim=6)
    write("unclip", StableUnCLIPImg2ImgPipeline(
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": 8},
                                             crop_size={"height": 8, "width": 8}),
        image_encoder=scale_well(CLIPVisionModelWithProjection(vision), 61),
        image_normalizer=normalizer,
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=tokenizer(),
        text_encoder=scale_well(CLIPTextModel(text_config(12, 2, "gelu", 8)), 62),
        unet=unet(63, 12, attention_head_dim=[2, 4], use_linear_projection=True,
                  class_embed_type="projection", projection_class_embeddings_input_dim=12, **SD),
        scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1,
                                set_alpha_to_one=False, prediction_type="v_prediction"),
        vae=vae(64)),
        image_embeds=torch.randn((2, 6), generator=generator), noise_level=300)


if __name__ == "__main__":
    main()
