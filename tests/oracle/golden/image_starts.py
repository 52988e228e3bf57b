"""Pictures that start from an image, for tests/library/image_starts.rs, by Diffusers' image-to-image pipelines.

    .venv-oracle/bin/python tests/oracle/golden/image_starts.py

tests/golden/pipelines/starts/expected.safetensors: two sources, what Pillow's Lanczos makes of them, and for SD 1.x and
SDXL, every scheduler and two strengths the final latents of both and the bytes of the first picture; one case of SD 2
with the noise schedule that ends in pure noise. All noise is noise.py's: of what the encoder says, of the start, and
of the schedulers that ask for it, by the number of the call. Run pipelines.py first. Made with diffusers 0.42.1,
transformers 5.23.0, torch 2.11.0, Pillow 13.0.0.
"""

import importlib
import itertools

import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline
from diffusers.models.autoencoders import vae
from PIL import Image

import noise
from pipelines import NEGATIVE, PROMPT, SEEDS
from weights import GOLDEN, materialise, save_expected

STEPS, STRENGTHS, SIDE = 10, (0.3, 0.8), 16
#: Width and height of the sources: one is made smaller and one larger.
SIZES = [(24, 20), (9, 11)]
#: Diffusers' class and what stands over the folder's file. SDXL's file says nothing of PNDM's start.
SCHEDULERS = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {}),
    "dpm++sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def of_seeds(step, shape):
    return torch.tensor(np.stack([noise.normal(seed, step, shape[1:]) for seed in SEEDS]))


def pictures():
    """Noise, smoothed so that resizing shows more than its borders."""
    rng = np.random.default_rng(20261128)
    for width, height in SIZES:
        small = rng.integers(0, 256, (height // 2, width // 2, 3), dtype=np.uint8)
        yield Image.fromarray(small).resize((width, height), Image.BICUBIC)


def replay(begin):
    """Both noises of the start, and those of the calls from `begin` on."""
    vae.randn_tensor = lambda shape, **_: of_seeds(noise.POSTERIOR, shape)
    for kind in ("stable_diffusion.pipeline_stable_diffusion_img2img",
                 "stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img"):
        module = importlib.import_module(f"diffusers.pipelines.{kind}")
        module.randn_tensor = lambda shape, **_: of_seeds(noise.START, shape)
    calls = itertools.count(begin)
    for name in ("ddpm", "euler_ancestral_discrete", "dpmsolver_multistep", "lcm"):
        module = importlib.import_module(f"diffusers.schedulers.scheduling_{name}")
        module.randn_tensor = lambda shape, **_: of_seeds(next(calls), shape)


def draw(pipe, sources, strength):
    skipped = STEPS - min(int(STEPS * strength), STEPS)
    common = dict(prompt=[PROMPT] * 2, negative_prompt=[NEGATIVE] * 2, image=sources,
                  strength=strength, num_inference_steps=STEPS, guidance_scale=3.0)
    out = {}
    for kind in ("latent", "np"):
        replay(skipped * pipe.scheduler.order)
        out[kind] = pipe(**common, output_type=kind).images
    first = torch.tensor((out["np"][0] * 255).round().astype(np.uint8))
    return out["latent"], first


def pipeline(name, kind):
    pipe = kind.from_pretrained(materialise(f"pipelines/{name}"), torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def main():
    out, resized = {}, None
    for name, kind in (("sd1", StableDiffusionImg2ImgPipeline),
                       ("xl", StableDiffusionXLImg2ImgPipeline),
                       ("sd2", StableDiffusionImg2ImgPipeline)):
        pipe = pipeline(name, kind)
        config = pipe.scheduler.config
        sources = list(pictures())
        resized = [pipe.image_processor.resize(source, SIDE, SIDE) for source in sources]
        for scheduler, (known, over) in SCHEDULERS.items():
            # SD 2's own, which rescales to zero SNR, is enough.
            if name == "sd2" and scheduler != "ddim":
                continue
            for strength in STRENGTHS:
                pipe.scheduler = getattr(diffusers, known).from_config(config, **over)
                latents, first = draw(pipe, resized, strength)
                key = f"{name} {scheduler} {strength}"
                out[f"{key} latents"], out[f"{key} image"] = latents, first
    for at, (source, made) in enumerate(zip(pictures(), resized)):
        out[f"source {at}"] = torch.tensor(np.asarray(source))
        out[f"resized {at}"] = torch.tensor(np.asarray(made))
    (GOLDEN / "pipelines" / "starts").mkdir(exist_ok=True)
    save_expected("pipelines/starts", **out)


if __name__ == "__main__":
    main()
