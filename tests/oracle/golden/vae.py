"""Golden autoencoders for tests/models.rs, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/vae.py

Folders under tests/golden/vae as save_pretrained writes them (weights in float16), and beside the
weights expected.safetensors with inputs and outputs in float32. Made with diffusers 0.42.1,
torch 2.11.0.
"""

import diffusers
import torch
from diffusers import AutoencoderKL

from weights import save, save_expected, scale_well

diffusers.logging.set_verbosity_error()


def vae(name, seed, height, width, loud, **config):
    model = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * len(config["block_out_channels"]),
        up_block_types=["UpDecoderBlock2D"] * len(config["block_out_channels"]),
        **config,
    )
    scale_well(model, seed)
    with torch.no_grad():
        # The last convolution of the moments, with one log-variance beyond the clamp at 20.
        last = model.quant_conv if model.quant_conv is not None else model.encoder.conv_out
        last.bias[-1] += loud
    model = save(model.half(), name)
    generator = torch.Generator().manual_seed(seed + 1)
    pixels = torch.randn((2, 3, height, width), generator=generator).clamp(-1, 1)
    with torch.no_grad():
        distribution = model.encode(pixels).latent_dist
        latents = torch.randn(distribution.mean.shape, generator=generator)
        decoded = model.decode(latents).sample
    save_expected(
        name,
        pixels=pixels,
        mean=distribution.mean,
        logvar=distribution.logvar,
        latents=latents,
        decoded=decoded,
    )


def main():
    # As Stable Diffusion's, in small: three levels, both 1 x 1 convolutions.
    vae("vae/sd", 11, 16, 24, 0.0, block_out_channels=[8, 8, 12], layers_per_block=1,
        norm_num_groups=4, latent_channels=4)
    # Without them, two blocks a level, an odd size, another number of latents.
    vae("vae/plain", 12, 11, 9, 25.0, block_out_channels=[8, 8], layers_per_block=2,
        norm_num_groups=2, latent_channels=3, use_quant_conv=False, use_post_quant_conv=False)


if __name__ == "__main__":
    main()
