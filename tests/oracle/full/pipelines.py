"""Whole pipelines from the same starting latents: the embedded world and small random models.

    .venv-oracle/bin/python tests/oracle/full/pipelines.py CASE FOLDER

The folder gets case.json (which model, how it is sampled) and expected.safetensors with the final
latents and the image. Starting latents are hardlight's own noise (tests/oracle/golden/noise.py).
"""

import itertools
import json
import pathlib
import shutil
import sys

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines.stable_diffusion import pipeline_stable_unclip_img2img
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_lcm

import common

ROOT = pathlib.Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests/oracle/golden"))
import noise  # noqa: E402
import weights  # noqa: E402

SEEDS = [3, 4]
WORLD = "weights/world/diffusion"
FACE = "a photo of an old woman with glasses and grey hair on a blue background"


def pipeline(model, prompt, negative=None, scheduler=None, old=None, **settings):
    def write(folder):
        nonlocal model
        if model.startswith("golden/"):
            # Its weights follow from formulas, and parts of it lie elsewhere.
            assembled = folder / "model"
            weights.assemble(weights.GOLDEN / model.removeprefix("golden/"), assembled)
            model = str(assembled)
        if old is not None:
            model = str(shutil.copytree(ROOT / model, folder / "model"))
            (folder / "model/scheduler/scheduler_config.json").write_text(json.dumps(old))
            index = folder / "model/model_index.json"
            text = json.loads(index.read_text())
            text["scheduler"] = ["diffusers", old["_class_name"]]
            index.write_text(json.dumps(text))
        pipe = DiffusionPipeline.from_pretrained(ROOT / model, torch_dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        config = pipe.unet.config
        side = config.sample_size
        latents = torch.tensor(np.stack(
            [noise.normal(seed, noise.START, (config.in_channels, side, side)) for seed in SEEDS]))
        case = dict(model=model, prompt=prompt, negative=negative or "", seeds=SEEDS, **settings)
        arguments = dict(prompt=[prompt] * 2, negative_prompt=negative and [negative] * 2,
                         num_inference_steps=settings["steps"],
                         guidance_scale=settings["guidance"])
        if "image_normalizer" in pipe.components:
            width = pipe.image_normalizer.config.embedding_dim
            generator = torch.Generator().manual_seed(9)
            embeds = torch.randn((2, width), generator=generator)
            arguments |= dict(image_embeds=embeds, noise_level=settings["noise_level"])
            case["image_embeds"] = embeds.tolist()
            pipeline_stable_unclip_img2img.randn_tensor = lambda shape, **_: torch.tensor(
                np.stack([noise.normal(seed, noise.EMBEDDING, shape[1:]) for seed in SEEDS]))
        if scheduler:
            case["scheduler"], kind = scheduler
            pipe.scheduler = getattr(diffusers, kind).from_config(pipe.scheduler.config)
        replay_noise(latents.shape)
        final = pipe(**arguments, latents=latents.clone(), output_type="latent").images
        replay_noise(latents.shape)
        images = pipe(**arguments, latents=latents.clone(), output_type="pt").images
        (folder / "case.json").write_text(json.dumps(case))
        common.save_tensors(folder / "expected.safetensors", final=final, images=images)

    return write


def replay_noise(shape):
    """Schedulers that add noise get hardlight's, keyed by seed and call."""
    calls = itertools.count()

    def replayed(size, **_):
        assert tuple(size) == tuple(shape), size
        call = next(calls)
        return torch.tensor(np.stack([noise.normal(seed, call, shape[1:]) for seed in SEEDS]))

    scheduling_lcm.randn_tensor = replayed
    scheduling_euler_ancestral_discrete.randn_tensor = replayed


def golden(name, **settings):
    return pipeline(f"golden/pipelines/{name}", "a photo of an old woman on grass", **settings)


if __name__ == "__main__":
    common.main({
        "world": pipeline(WORLD, FACE, steps=20, guidance=7.5),
        "world-negative": pipeline(WORLD, FACE, "a hat", steps=10, guidance=4.0),
        "world-ddim": pipeline(WORLD, FACE, steps=20, guidance=7.5,
                              scheduler=("ddim", "DDIMScheduler")),
        "world-unipc": pipeline(WORLD, FACE, steps=20, guidance=7.5,
                                scheduler=("unipc", "UniPCMultistepScheduler")),
        "world-euler": pipeline(WORLD, FACE, steps=20, guidance=7.5,
                                scheduler=("euler", "EulerDiscreteScheduler")),
        "world-unguided": pipeline(WORLD, FACE, steps=20, guidance=0.0),
        # Files of old, which the pipeline corrects: neither steps_offset nor clip_sample.
        "world-old-ddim": pipeline(WORLD, FACE, steps=20, guidance=7.5, old=dict(
            _class_name="DDIMScheduler", beta_start=0.00085, beta_end=0.012,
            beta_schedule="scaled_linear", set_alpha_to_one=False)),
        "world-old-pndm": pipeline(WORLD, FACE, steps=20, guidance=7.5, old=dict(
            _class_name="PNDMScheduler", beta_start=0.00085, beta_end=0.012, steps_offset=0,
            beta_schedule="scaled_linear", skip_prk_steps=True, clip_sample=True)),
        # As LCM-LoRA and SDXL-Turbo sample, with noise at every step; as SD-Turbo, in one.
        "world-lcm": pipeline(WORLD, FACE, steps=4, guidance=1.5,
                              scheduler=("lcm", "LCMScheduler")),
        "xl-turbo": golden("xl", steps=4, guidance=0.0,
                           scheduler=("euler-ancestral", "EulerAncestralDiscreteScheduler")),
        "sd-turbo": golden("sd2", steps=1, guidance=0.0,
                           scheduler=("euler", "EulerDiscreteScheduler")),
        "sd1": golden("sd1", steps=20, guidance=7.5),
        "sd2": golden("sd2", steps=20, guidance=7.5, negative="a dog"),
        "xl": golden("xl", steps=20, guidance=5.0),
        "xl-negative": golden("xl", steps=20, guidance=5.0, negative="a dog"),
        "unclip": golden("unclip", steps=20, guidance=10.0, noise_level=100),
    })
