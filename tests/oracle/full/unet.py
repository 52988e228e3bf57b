"""UNets of the true architectures, one forward each.

    .venv-oracle/bin/python tests/oracle/full/unet.py CASE FOLDER
"""

import torch
from diffusers import UNet2DConditionModel

import common

SD_DOWN = ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"]
SD_UP = ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3

SD1 = dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8,
           block_out_channels=[320, 640, 1280, 1280], down_block_types=SD_DOWN,
           up_block_types=SD_UP)
SD2 = SD1 | dict(sample_size=96, cross_attention_dim=1024, attention_head_dim=[5, 10, 20, 20],
                 use_linear_projection=True, upcast_attention=True)
UNCLIP = SD2 | dict(class_embed_type="projection", projection_class_embeddings_input_dim=2048)
XL = dict(sample_size=128, cross_attention_dim=2048, attention_head_dim=[5, 10, 20],
          block_out_channels=[320, 640, 1280], use_linear_projection=True,
          transformer_layers_per_block=[1, 2, 10], addition_embed_type="text_time",
          addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
          down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
          up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"])
LCM = SD1 | dict(time_cond_proj_dim=256)


def unet(config, side, seed):
    def write(folder):
        # Without the library's own initial weights, which would take as long again.
        with torch.device("meta"):
            model = UNet2DConditionModel(**config)
        model = common.scale_well(model.to_empty(device="cpu"), seed)
        generator = torch.Generator().manual_seed(seed + 1)
        latents = torch.randn((2, 4, side, side - 3), generator=generator)
        context = torch.randn((2, 77, config["cross_attention_dim"]), generator=generator)
        timesteps = torch.tensor([981.0, 21.0])
        arguments, extra = {}, {}
        if config.get("addition_embed_type"):
            pooled = torch.randn((2, 1280), generator=generator)
            sizes = torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024], [768, 1344, 8, 0, 768, 1344]])
            arguments["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": sizes}
            extra = {"pooled": pooled, "sizes": sizes}
        if config.get("class_embed_type"):
            vector = torch.randn((2, 2048), generator=generator)
            arguments["class_labels"] = extra["class"] = vector
        if config.get("time_cond_proj_dim"):
            from diffusers import StableDiffusionPipeline

            scale = torch.tensor([8.5])
            arguments["timestep_cond"] = StableDiffusionPipeline.get_guidance_scale_embedding(
                None, (scale - 1).repeat(2), 256)
            extra["guidance"] = scale
        noise = model(latents, timesteps, context, **arguments).sample
        common.save_tensors(folder / "expected.safetensors", latents=latents, context=context,
                            timesteps=timesteps, noise=noise, **extra)
        model.save_pretrained(folder, max_shard_size="4GB")

    return write


if __name__ == "__main__":
    common.main({
        "sd1": unet(SD1, 32, 1),
        "sd2": unet(SD2, 32, 2),
        "unclip": unet(UNCLIP, 16, 3),
        "lcm": unet(LCM, 16, 4),
        # 2.6 billion weights: 10 GB, in shards.
        "xl": unet(XL, 16, 5),
    })
