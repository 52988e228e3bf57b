"""Golden autoencoders for tests/library/models, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/vae.py

Folders under tests/golden/vae as save_pretrained writes them, with weights and inputs by formula
(weights.py), and expected.safetensors with the outputs in float32. tests/golden/vae/small is that of
pipelines.py. Made with diffusers 0.42.1, torch 2.11.0.
"""

import diffusers
import torch
from diffusers import AutoencoderKL

from weights import inputs, publish_model, save_expected

diffusers.logging.set_verbosity_error()


def vae(name, seed, given=None, **config):
    levels = len(config["block_out_channels"])
    model = AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * levels,
                          up_block_types=["UpDecoderBlock2D"] * levels, norm_num_groups=2, **config)
    return publish_model(model, name, seed, given)


def compare(name, seed, model, height, width):
    with torch.no_grad():
        mean = model.encode(torch.zeros(2, 3, height, width)).latent_dist.mean
        said = inputs(name, seed, pixels=(2, 3, height, width), latents=mean.shape)
        distribution = model.encode(said["pixels"]).latent_dist
        decoded = model.decode(said["latents"]).sample
    save_expected(name, mean=distribution.mean, logvar=distribution.logvar, decoded=decoded)


def main():
    # As Stable Diffusion's, in small: three levels, both 1 x 1 convolutions.
    model = vae("vae/sd", 11, block_out_channels=[4, 4, 6], layers_per_block=1, latent_channels=4)
    compare("vae/sd", 11, model, 8, 12)
    # Without them, two blocks a level, an odd size, another number of latents, and a log-variance
    # beyond the clamp at 20 (the last bias of the moments).
    loud = {"encoder.conv_out.bias": [0.125, -0.25, 0.25, 0.5, -0.125, 25.0]}
    model = vae("vae/plain", 12, loud, block_out_channels=[4, 4], layers_per_block=2,
                latent_channels=3, use_quant_conv=False, use_post_quant_conv=False)
    compare("vae/plain", 12, model, 11, 9)
    vae("vae/small", 13, block_out_channels=[4, 6], layers_per_block=1, latent_channels=4)


if __name__ == "__main__":
    main()
