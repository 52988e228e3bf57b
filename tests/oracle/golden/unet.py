"""Golden UNets for tests/models.rs, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/unet.py

Folders under tests/golden/unet as save_pretrained writes them (weights in float16), and beside the
weights expected.safetensors with inputs and output in float32. Made with diffusers 0.42.1,
torch 2.11.0.
"""

import diffusers
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from weights import save, save_expected, scale_well

diffusers.logging.set_verbosity_error()


def unet(name, seed, height, width, added=None, **config):
    model = UNet2DConditionModel(sample_size=8, norm_num_groups=4, **config)
    model = save(scale_well(model, seed).half(), name)
    generator = torch.Generator().manual_seed(seed + 1)
    latents = torch.randn((3, 4, height, width), generator=generator)
    context = torch.randn((3, 7, model.config.cross_attention_dim), generator=generator)
    # Every image of a batch at a time of its own, one of them between two whole ones.
    timesteps = torch.tensor([981.0, 1.0, 333.25])
    arguments, extra = added(generator) if added else ({}, {})
    with torch.no_grad():
        noise = model(latents, timesteps, context, **arguments).sample
    save_expected(name, latents=latents, timesteps=timesteps, context=context, noise=noise, **extra)


def pooled_and_sizes(generator):
    """SDXL's, another size and crop for every image."""
    pooled = torch.randn((3, 6), generator=generator)
    sizes = torch.tensor([[48., 64, 0, 0, 48, 64], [1024, 768, 16, 0, 512, 512],
                          [90, 91, 3, 7, 64, 64]])
    return {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}, {
        "pooled": pooled, "sizes": sizes}


def class_vector(generator):
    vector = torch.randn((3, 12), generator=generator)
    return {"class_labels": vector}, {"class": vector}


def guidance(_generator):
    """The waves of a guidance scale of 3.5, by a pipeline's own method."""
    scale = torch.tensor([3.5]).repeat(3)
    waves = StableDiffusionPipeline.get_guidance_scale_embedding(None, scale - 1, 9)
    return {"timestep_cond": waves}, {"guidance": scale[:1]}


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
    # SDXL: no attention at the top, more transformer blocks further down, pooled caption and sizes.
    unet("unet/xl", 23, 6, 5, pooled_and_sizes, block_out_channels=[8, 12], layers_per_block=1,
         attention_head_dim=[1, 2], cross_attention_dim=10, use_linear_projection=True,
         transformer_layers_per_block=[1, 2], addition_embed_type="text_time",
         addition_time_embed_dim=4, projection_class_embeddings_input_dim=30,
         down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
         up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"])
    # Stable unCLIP: a vector beside the caption.
    unet("unet/unclip", 24, 4, 4, class_vector, block_out_channels=[8, 12], layers_per_block=1,
         attention_head_dim=[2, 3], cross_attention_dim=10, use_linear_projection=True,
         class_embed_type="projection", projection_class_embeddings_input_dim=12,
         down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"])
    # A latent consistency model: the guidance scale is an input, here of an odd width.
    unet("unet/lcm", 25, 4, 4, guidance, block_out_channels=[8, 12], layers_per_block=1,
         attention_head_dim=2, cross_attention_dim=6, time_cond_proj_dim=9,
         down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"])


if __name__ == "__main__":
    main()
