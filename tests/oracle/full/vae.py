"""Autoencoders of the true architectures: mean and log-variance, and pixels.

    .venv-oracle/bin/python tests/oracle/full/vae.py CASE FOLDER
"""

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

import common

SD = dict(block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4,
          down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)

OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def vae(config, seed, old_names=False):
    def write(folder):
        model = common.scale_well(AutoencoderKL(**config), seed)
        generator = torch.Generator().manual_seed(seed + 1)
        pixels = torch.rand((1, 3, 128, 192), generator=generator) * 2 - 1
        latents = torch.randn((1, config["latent_channels"], 16, 24), generator=generator)
        moments = model.encode(pixels).latent_dist
        decoded = model.decode(latents).sample
        common.save_tensors(folder / "expected.safetensors", pixels=pixels, latents=latents,
                            mean=moments.mean, logvar=moments.logvar, decoded=decoded)
        model.save_pretrained(folder)
        if old_names:
            path = folder / "diffusion_pytorch_model.safetensors"
            tensors = load_file(path)
            for new, old in OLD_NAMES.items():
                tensors = {k.replace(f"attentions.0.{new}", f"attentions.0.{old}"): v
                           for k, v in tensors.items()}
            save_file(tensors, path)
            # The names that Diffusers reads too: the file must be one of that time.
            again = AutoencoderKL.from_pretrained(folder).decode(latents).sample
            assert torch.equal(again, decoded)

    return write


if __name__ == "__main__":
    common.main({
        "sd": vae(SD | dict(scaling_factor=0.18215), 11),
        "sd-old-names": vae(SD | dict(scaling_factor=0.18215), 12, old_names=True),
        "xl": vae(SD | dict(scaling_factor=0.13025, sample_size=1024, force_upcast=True), 13),
    })
