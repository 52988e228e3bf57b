"""Golden UNets for tests/models.rs, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/unet.py

Folders under tests/golden/unet as save_pretrained writes them (weights in float16), and beside the
weights expected.safetensors with inputs and output in float32. Made with diffusers 0.42.1,
torch 2.11.0.
"""

import diffusers
import torch
from diffusers import UNet2DConditionModel

from weights import save, save_expected, scale_well

diffusers.logging.set_verbosity_error()


def unet(name, seed, height, width, **config):
    model = UNet2DConditionModel(sample_size=8, norm_num_groups=4, **config)
    model = save(scale_well(model, seed).half(), name)
    generator = torch.Generator().manual_seed(seed + 1)
    latents = torch.randn((3, 4, height, width), generator=generator)
    context = torch.randn((3, 7, model.config.cross_attention_dim), generator=generator)
    # Every image of a batch at a time of its own, one of them between two whole ones.
    timesteps = torch.tensor([981.0, 1.0, 333.25])
    with torch.no_grad():
        noise = model(latents, timesteps, context).sample
    save_expected(name, latents=latents, timesteps=timesteps, context=context, noise=noise)


def main():
    # SD 1.x in small: 1 x 1 convolutions around the transformers, as many heads at every level.
    unet("unet/sd1", 21, 6, 8, block_out_channels=[8, 8, 12], layers_per_block=1,
         attention_head_dim=2, cross_attention_dim=6,
         down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"])
    # SD 2.x: linear layers around them, heads of equal width, so more of them further down. An odd
    # size, and an epsilon that shows where it is not used.
    unet("unet/sd2", 22, 5, 7, block_out_channels=[8, 12], layers_per_block=1, norm_eps=1e-3,
         attention_head_dim=[2, 3], cross_attention_dim=10, use_linear_projection=True,
         down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"])


if __name__ == "__main__":
    main()
