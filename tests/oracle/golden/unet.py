"""Golden UNets for tests/library/models, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/unet.py

Folders under tests/golden/unet as save_pretrained writes them, with weights and inputs by formula
(weights.py), and expected.safetensors with the output in float32. Made with diffusers 0.42.1,
torch 2.11.0.
"""

import diffusers
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from weights import inputs, publish_model, save_expected

diffusers.logging.set_verbosity_error()

# Every image of a batch at a time of its own, one of them between two whole ones.
TIMESTEPS = torch.tensor([981.0, 1.0, 333.25])


def unet(name, seed, height, width, given=None, arguments=None, more=None, **config):
    """`more` are the shapes of further inputs, and `arguments` what a call makes of all inputs."""
    model = publish_model(UNet2DConditionModel(sample_size=8, norm_num_groups=2, **config), name, seed)
    said = inputs(
        name, seed, {"timesteps": TIMESTEPS} | (given or {}), latents=(3, 4, height, width),
        context=(3, 5, model.config.cross_attention_dim), **(more or {}))
    with torch.no_grad():
        noise = model(said["latents"], said["timesteps"], said["context"],
                      **(arguments(said) if arguments else {})).sample
    save_expected(name, noise=noise)


def main():
    # SD 1.x in small: 1 x 1 convolutions around the transformers, as many heads at every level.
    unet("unet/sd1", 21, 4, 8, block_out_channels=[4, 4, 8], layers_per_block=1,
         attention_head_dim=2, cross_attention_dim=8,
         down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"])
    # SD 2.x: linear layers around them, heads of equal width, so more of them further down. An odd
    # size, and an epsilon that shows where it is not used.
    unet("unet/sd2", 22, 5, 7, block_out_channels=[4, 6], layers_per_block=1, norm_eps=1e-3,
         attention_head_dim=[2, 3], cross_attention_dim=10, use_linear_projection=True,
         down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"])
    # SDXL: no attention at the top, more transformer blocks further down, pooled caption and sizes,
    # another size and crop for every image.
    sizes = torch.tensor([[48., 64, 0, 0, 48, 64], [1024, 768, 16, 0, 512, 512],
                          [90, 91, 3, 7, 64, 64]])
    unet("unet/xl", 23, 6, 5, {"sizes": sizes}, lambda said: {
             "added_cond_kwargs": {"text_embeds": said["pooled"], "time_ids": said["sizes"]}},
         {"pooled": (3, 6)}, block_out_channels=[4, 8], layers_per_block=1,
         attention_head_dim=[1, 2], cross_attention_dim=12, use_linear_projection=True,
         transformer_layers_per_block=[1, 2], addition_embed_type="text_time",
         addition_time_embed_dim=4, projection_class_embeddings_input_dim=30,
         down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
         up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"])
    # Stable unCLIP: a vector beside the caption.
    unet("unet/unclip", 24, 4, 4, None, lambda said: {"class_labels": said["class"]},
         {"class": (3, 12)}, block_out_channels=[4, 6], layers_per_block=1,
         attention_head_dim=[2, 3], cross_attention_dim=10, use_linear_projection=True,
         class_embed_type="projection", projection_class_embeddings_input_dim=12,
         down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"])
    # A latent consistency model: a guidance scale of 3.5 is an input, as the waves that a pipeline's
    # own method makes of it, here of an odd width.
    scale = torch.tensor([3.5])
    waves = StableDiffusionPipeline.get_guidance_scale_embedding(None, scale.repeat(3) - 1, 9)
    unet("unet/lcm", 25, 4, 4, {"guidance": scale}, lambda _: {"timestep_cond": waves},
         block_out_channels=[4, 6], layers_per_block=1,
         attention_head_dim=2, cross_attention_dim=6, time_cond_proj_dim=9,
         down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
         up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"])


if __name__ == "__main__":
    main()
