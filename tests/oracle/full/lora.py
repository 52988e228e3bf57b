"""Adapters merged at load, against Diffusers and PEFT.

- `sd15`: the UNet and text encoder of Stable Diffusion 1.5 with an adapter laid out as the published
  LCM-LoRA (kohya-ss names, rank 64, convolutions too, alpha 8) and one of PEFT for both, at once.
- `sdxl-names`: what kohya-ss calls every layer of SDXL's UNet and text encoders, by the names of the
  first code and by Diffusers', against the layers that Diffusers finds. Each change is a constant
  of its own, so that none can stand for another.
"""

import json
import re

import diffusers
import torch
import transformers
from common import main, save_tensors, scale_well
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.lora_conversion_utils import (
    _convert_non_diffusers_lora_to_diffusers, _maybe_map_sgm_blocks_to_diffusers,
)
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_peft
from diffusers.utils.state_dict_utils import convert_unet_state_dict_to_peft
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

diffusers.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

LINEAR_OR_CONV = (torch.nn.Linear, torch.nn.Conv2d)


def layers(model, pattern=""):
    named = model.named_modules()
    return {n: m for n, m in named if isinstance(m, LINEAR_OR_CONV) and re.search(pattern, n)}


def pair(layer, rank, generator, size=1.0):
    outputs, inputs, *kernel = layer.weight.shape
    down = torch.randn((rank, inputs, *kernel), generator=generator)
    up = torch.randn((outputs, rank, *[1 for _ in kernel]), generator=generator)
    return (down / down[0].numel() ** 0.5).half(), (size * up / rank**0.5).half()


def sd15(folder):
    unet = UNet2DConditionModel(
        sample_size=64, block_out_channels=[320, 640, 1280, 1280], cross_attention_dim=768,
        attention_head_dim=8,
    )
    text = CLIPTextModel(CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        projection_dim=768, hidden_act="quick_gelu", bos_token_id=49406, eos_token_id=2,
    ))
    scale_well(unet, 61).save_pretrained(folder / "unet")
    scale_well(text, 62).save_pretrained(folder / "text_encoder")

    generator = torch.Generator().manual_seed(63)
    # As the published file: all that a block holds. Alpha over rank is 1/8: larger matrices show.
    lcm = {}
    for name, layer in layers(unet, "blocks|mid_block").items():
        stem = "lora_unet_" + name.replace(".", "_")
        down, up = pair(layer, 64, generator, size=6.0)
        lcm |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up,
                f"{stem}.alpha": torch.tensor(8.0, dtype=torch.float16)}
    save_file(lcm, folder / "lcm.safetensors")
    peft = {}
    for prefix, model, pattern in [("unet", unet, r"to_[qkv]$|to_out\.0$|ff\.net"),
                                   ("text_encoder", text, "_proj$|fc1$")]:
        for name, layer in layers(model, pattern).items():
            down, up = pair(layer, 8, generator)
            peft |= {f"{prefix}.{name}.lora_A.weight": down, f"{prefix}.{name}.lora_B.weight": up}
    save_file(peft, folder / "peft.safetensors")

    latents = torch.randn((1, 4, 16, 16), generator=generator)
    context = torch.randn((1, 77, 768), generator=generator)
    timesteps = torch.tensor([759.0])
    ids = torch.randint(0, 49406, (2, 77), generator=generator)
    ids[:, 0], ids[0, 20:], ids[1, 76:] = 49406, 49407, 49407
    noise, hidden = unet(latents, timesteps, context).sample, text(ids).last_hidden_state

    pipe = StableDiffusionPipeline(
        vae=None, tokenizer=None, safety_checker=None, feature_extractor=None, text_encoder=text,
        unet=unet, scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        requires_safety_checker=False,
    )
    for name in ["lcm", "peft"]:
        pipe.load_lora_weights(folder, weight_name=f"{name}.safetensors", adapter_name=name)
    pipe.set_adapters(["lcm", "peft"], [1.0, 0.7])
    pipe.fuse_lora(components=["unet", "text_encoder"])
    pipe.unload_lora_weights()
    merged = {"noise": unet(latents, timesteps, context).sample, "hidden": text(ids).last_hidden_state}
    for before, after in [(noise, merged["noise"]), (hidden, merged["hidden"])]:
        shows = float((after - before).abs().max() / after.abs().max())
        print(f"the adapters change the output by {shows:.2f}")
        assert shows > 0.1
    weights = {f"unet.{name}": unet.get_parameter(name) for name in [
        "down_blocks.0.resnets.0.conv1.weight",
        "down_blocks.1.attentions.0.proj_in.weight",
        "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
        "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj.weight",
    ]}
    save_tensors(
        folder / "expected.safetensors", latents=latents, context=context, timesteps=timesteps,
        ids=ids.float(), **merged, **weights,
    )


def sgm_name(name):
    """What the first code calls a layer of SDXL's UNet, with underscores: written from the order in
    which it builds its blocks (two residual blocks in a level), and not from Diffusers' inverse."""
    outside = {
        "conv_in": "input_blocks_0_0", "conv_out": "out_2",
        "time_embedding.linear_1": "time_embed_0", "time_embedding.linear_2": "time_embed_2",
        "add_embedding.linear_1": "label_emb_0_0", "add_embedding.linear_2": "label_emb_0_2",
    }
    if name in outside:
        return outside[name]
    residual = {"conv1": "in_layers_2", "time_emb_proj": "emb_layers_1", "conv2": "out_layers_3",
                "conv_shortcut": "skip_connection"}
    where, rest = re.match(r"(down_blocks\.\d|mid_block|up_blocks\.\d)\.(.*)", name).groups()
    kind, i, layer = rest.split(".", 2)
    i = int(i)
    inside = residual.get(layer, layer.replace(".", "_"))
    if where == "mid_block":
        return f"middle_block_{1 if kind == 'attentions' else 2 * i}_{inside}"
    block = int(where[-1])
    if where.startswith("down"):
        if kind == "downsamplers":
            return f"input_blocks_{3 * block + 3}_0_op"
        return f"input_blocks_{3 * block + 1 + i}_{int(kind == 'attentions')}_{inside}"
    if kind == "upsamplers":
        # The first two levels have transformers, after which the upsampler comes.
        return f"output_blocks_{3 * block + 2}_2_conv"
    return f"output_blocks_{3 * block + i}_{int(kind == 'attentions')}_{inside}"


def sdxl_names(folder):
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=128, block_out_channels=[320, 640, 1280], cross_attention_dim=2048,
            attention_head_dim=[5, 10, 20], transformer_layers_per_block=[1, 2, 10],
            use_linear_projection=True, addition_embed_type="text_time",
            addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        )
        first = CLIPTextModel(CLIPTextConfig(
            hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        ))
        second = CLIPTextModelWithProjection(CLIPTextConfig(
            hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20,
            projection_dim=1280,
        ))
    models = {"unet": unet, "text_encoder": first, "text_encoder_2": second}
    # kohya-ss writes text_model whether Transformers does or not.
    below = lambda name: name if name.startswith("text_") else f"text_model.{name}"
    for naming, unet_name in [("sgm", sgm_name), ("diffusers", lambda name: name.replace(".", "_"))]:
        tensors, shapes = {}, {}
        for component, model in models.items():
            prefix = {"unet": "lora_unet_", "text_encoder": "lora_te1_",
                      "text_encoder_2": "lora_te2_"}[component]
            shapes[component] = {name: list(p.shape) for name, p in model.named_parameters()}
            for name, layer in layers(model).items():
                if naming == "diffusers" and name.startswith("add_embedding"):
                    continue  # Diffusers knows these two by their first names only.
                stem = prefix + (unet_name(name) if component == "unet" else below(name).replace(".", "_"))
                assert f"{stem}.alpha" not in tensors, stem
                outputs, inputs, *kernel = layer.weight.shape
                mark = float(len(tensors) // 3 + 1)
                tensors |= {
                    f"{stem}.lora_down.weight": torch.ones((1, inputs, *kernel)),
                    f"{stem}.lora_up.weight": torch.full((outputs, 1, *[1 for _ in kernel]), mark),
                    f"{stem}.alpha": torch.tensor(1.0),
                }
        save_file(tensors, folder / f"{naming}.safetensors")
        marks = found(tensors, models)
        assert sum(map(len, marks.values())) == len(tensors) // 3
        out = {"shapes": shapes, "marks": marks}
        (folder / f"{naming}.json").write_text(json.dumps(out))


def found(tensors, models):
    """The weights that Diffusers changes, and by how much."""
    state = _maybe_map_sgm_blocks_to_diffusers(dict(tensors), models["unet"].config)
    state, _ = _convert_non_diffusers_lora_to_diffusers(state)
    out = {}
    for component, model in models.items():
        prefix = f"{component}."
        own = {k[len(prefix):]: v for k, v in state.items() if k.startswith(prefix)}
        if component == "unet":
            own = convert_unet_state_dict_to_peft(own)
        else:
            own = convert_state_dict_to_peft(convert_state_dict_to_diffusers(own))
            if not hasattr(model, "text_model"):
                own = {k.removeprefix("text_model."): v for k, v in own.items()}
        ups = {k.split(".lora_B")[0]: v for k, v in own.items() if ".lora_B" in k}
        parameters = dict(model.named_parameters())
        unknown = [layer for layer in ups if f"{layer}.weight" not in parameters]
        assert not unknown, unknown
        out[component] = {f"{layer}.weight": float(up.flatten()[0]) for layer, up in ups.items()}
    return out


if __name__ == "__main__":
    main({"sd15": sd15, "sdxl-names": sdxl_names})
