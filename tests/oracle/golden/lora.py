"""Golden adapters for tests/library/models/lora.rs, merged by Diffusers and PEFT.

    .venv-oracle/bin/python tests/oracle/golden/lora.py

tests/golden/lora/sd1 has one adapter in each naming for tests/golden/unet/sd1 and
tests/golden/clip/text_encoder, and what these then say. tests/golden/lora/sdxl has a small UNet and
second text encoder of SDXL and an adapter with the names that kohya-ss gives them. All weights are by
formula (weights.py); of a merged one `merged.json` has two projections (`shadow`). Run unet.py and
clip.py first. Made with diffusers 0.42.1, peft 0.21.2, transformers 5.23.0, torch 2.11.0.
"""

import json
import re
import shutil

import diffusers
import torch
import transformers
from diffusers import (
    DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel,
)
from peft import LoraConfig, get_peft_model_state_dict
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from weights import (
    GOLDEN, check, describe, draw, fresh, inputs, materialise, save_expected, shapes_of, tensors, tree,
)

diffusers.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

# Said so that the pipeline does not warn.
SCHEDULER = DDIMScheduler(steps_offset=1, clip_sample=False)

TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


def layers(model, pattern):
    """Linear and convolution layers whose names match."""
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return {n: m for n, m in model.named_modules() if isinstance(m, kinds) and re.search(pattern, n)}


def pair(layer, rank):
    """Shapes of down and up. By their formula they are as large together as the weight: what they
    change must show."""
    outputs, inputs, *kernel = layer.weight.shape
    return [rank, inputs, *kernel], [outputs, rank, *[1 for _ in kernel]]


def kohya(prefix, chosen, name=lambda n: n):
    """`chosen` maps layers' names to the layer, its rank and its alpha."""
    out = {}
    for key, (layer, rank, alpha) in chosen.items():
        stem = prefix + name(key).replace(".", "_")
        down, up = pair(layer, rank)
        out |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": alpha}
    return out


def shadow(weight, name):
    """Sums of a weight's numbers times random signs and sizes: each of them shows."""
    weight = weight.double().flatten().numpy()
    return [float(f"{weight @ draw(seed, name, len(weight)):.8g}") for seed in (1, 2)]


def write_merged(name, weights):
    shadows = {key: shadow(weight, key) for key, weight in sorted(weights.items())}
    text = json.dumps(tree(shadows), separators=(",", ":"))
    (GOLDEN / name / "merged.json").write_text(text + "\n")


def sd1():
    return StableDiffusionPipeline(
        vae=None, tokenizer=None, safety_checker=None, feature_extractor=None,
        scheduler=SCHEDULER, requires_safety_checker=False,
        text_encoder=CLIPTextModel.from_pretrained(materialise("clip/text_encoder")),
        unet=UNet2DConditionModel.from_pretrained(materialise("unet/sd1"), torch_dtype=torch.float32),
    )


def write_kohya(pipe, folder):
    """Convolutions have ranks and alphas of their own. Attention layers share theirs, which is the
    commonest: Diffusers takes that one for all of them."""
    attention = layers(pipe.unet, r"(down_blocks\.0|mid_block|up_blocks\.2).*(to_[qkv]|to_out\.0)$")
    others = layers(pipe.unet, r"mid_block.*(proj_in|proj_out|ff\.net)|down_blocks.2.*conv|"
                               r"up_blocks\.0.*(conv1|shortcut|emb_proj)|samplers\.0\.conv|"
                               r"^conv_|^time_embedding")
    chosen = {n: (m, 2, 1.5) for n, m in attention.items()}
    chosen |= {n: (m, 3, 0.75 + i % 5) for i, (n, m) in enumerate(others.items())}
    text = {n: (m, 2, 1.0) for n, m in layers(pipe.text_encoder, "|".join(TEXT)).items()}
    shapes = kohya("lora_unet_", chosen)
    shapes |= kohya("lora_te_", text, lambda n: f"text_model.{n}")
    describe(folder / "kohya.safetensors", shapes, 51, metadata={"ss_network_dim": "2"})


def write_peft(pipe, folder):
    """Trained as Diffusers' examples do it, with the config in the header."""
    configs = {
        "unet": LoraConfig(
            r=2, lora_alpha=3, target_modules=r".*(attn2\.to_[kv]|ff\.net\.0\.proj|conv1|proj_in)",
            rank_pattern={"conv1": 3, r"^mid_block\..*to_k": 1},
            alpha_pattern={"attn2.to_v": 5, "down_blocks.2.resnets.0.conv1": 2},
        ),
        "text_encoder": LoraConfig(r=3, lora_alpha=4, use_rslora=True,
                                   target_modules=["q_proj", "fc2"]),
    }
    arguments = {}
    for name, config in configs.items():
        model = getattr(pipe, name)
        model.add_adapter(config)
        arguments |= {f"{name}_lora_layers": get_peft_model_state_dict(model, adapter_name="default"),
                      f"{name}_lora_adapter_metadata": plain(config.to_dict())}
    scratch, file, key = fresh(), "peft.safetensors", "lora_adapter_metadata"
    StableDiffusionPipeline.save_lora_weights(scratch, weight_name=file, **arguments)
    with safe_open(scratch / file, "pt") as saved:
        note = saved.metadata()[key]
    # Where the base model lay on the machine that made it is nobody's business.
    note = re.sub(r'base_model_name_or_path": "[^"]*"', 'base_model_name_or_path": null', note)
    note = json.dumps(json.loads(note), separators=(",", ":"))
    describe(folder / file, shapes_of(scratch / file), 52, metadata={key: note})


def plain(config):
    """As JSON has it, in an order that does not change from run to run."""
    config = {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()}
    return config | {"peft_type": "LORA"}


def write_old(pipe, folder):
    """Attention processors, before PEFT."""
    ends, shapes, bare = ("down", "up"), {}, {}
    for name, layer in layers(pipe.unet, r"(to_[qkv]|to_out\.0)$").items():
        attention, to = re.match(r"(.*)\.(to_[a-z]+)", name).groups()
        for end, shape in zip(ends, pair(layer, 2)):
            shapes[f"unet.{attention}.processor.{to}_lora.{end}.weight"] = shape
    for name, layer in layers(pipe.text_encoder, "_proj").items():
        attention, which = re.match(r"(.*)\.(.*)_proj", name).groups()
        for end, shape in zip(ends, pair(layer, 3)):
            shapes[f"text_encoder.text_model.{attention}.to_{which}_lora.{end}.weight"] = shape
    describe(folder / "old.safetensors", shapes, 53)
    # Later, and of the UNet alone: without its name, and with layers that are not attention.
    for name, layer in layers(pipe.unet, r"up_blocks.*(to_[qkv]|to_out\.0|ff.*|conv2)$").items():
        for end, shape in zip(ends, pair(layer, 1 + len(bare) % 4 // 2)):
            bare[f"{name}.lora.{end}.weight"] = shape
    describe(folder / "bare.safetensors", bare, 54)


# Adapters with the scales at which they are merged.
CASES = {
    "kohya": {"kohya": 0.8},
    "peft": {"peft": 1.0},
    "old": {"old": -0.5},
    "bare": {"bare": 1.25},
    "all": {"kohya": 0.8, "peft": 1.0, "old": -0.5, "bare": 1.25},
}


def merge(pipe, folder, adapters, components):
    for name in adapters:
        path = folder / f"{name}.safetensors"
        if name == "bare":
            pipe.unet.load_lora_adapter(path, prefix=None, adapter_name=name)
        else:
            pipe.load_lora_weights(folder, weight_name=path.name, adapter_name=name)
    pipe.set_adapters(list(adapters), list(adapters.values()))
    pipe.fuse_lora(components=components, safe_fusing=True)
    pipe.unload_lora_weights()


def small_sd1():
    folder = GOLDEN / "lora/sd1"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_kohya(sd1(), folder)
    write_old(sd1(), folder)
    write_peft(sd1(), folder)
    adapters = materialise("lora/sd1")
    timesteps, ids = torch.tensor([981.0, 33.0]), torch.tensor([[41, 3, 7, 40, 1], [41, 9, 12, 30, 40]])
    said = inputs("lora/sd1", 55, {"timesteps": timesteps, "ids": ids}, latents=(2, 4, 4, 4),
                  context=(2, 5, 8))
    expected = {}
    before = sd1().unet.state_dict()
    for case, scales in CASES.items():
        pipe = sd1()
        merge(pipe, adapters, scales, ["unet", "text_encoder"])
        with torch.no_grad():
            expected[f"{case}.noise"] = pipe.unet(said["latents"], timesteps, said["context"]).sample
            expected[f"{case}.hidden"] = pipe.text_encoder(ids).last_hidden_state
        after = pipe.unet.state_dict()
        assert after.keys() == before.keys()
        changed = [n for n in after if not torch.equal(after[n], before[n])]
        print(case, len(changed), "weights of the UNet changed")
        if case == "all":
            # One weight of every kind, the smallest; each is the sum of up to four changes.
            kinds = {}
            for name in sorted(changed, key=lambda n: (after[n].numel(), n)):
                kinds.setdefault(re.sub(r".*\.(attn.*|ff.*|[^.]+)\.weight", r"\1", name), name)
            merged = {f"unet.{name}": after[name] for name in kinds.values()}
            name = "encoder.layers.1.self_attn.q_proj.weight"
            merged[f"text_encoder.{name}"] = pipe.text_encoder.state_dict()[name]
            write_merged("lora/sd1", merged)
    save_expected("lora/sd1", **expected)


def small_sdxl():
    folder = GOLDEN / "lora/sdxl"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    unet = UNet2DConditionModel(
        block_out_channels=[4, 4, 8], layers_per_block=2, norm_num_groups=2, cross_attention_dim=6,
        attention_head_dim=[1, 1, 2], transformer_layers_per_block=[1, 1, 2],
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=2,
        projection_class_embeddings_input_dim=16,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    )
    text = CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=10, max_position_embeddings=5, hidden_size=8, intermediate_size=12,
        num_hidden_layers=1, num_attention_heads=2, projection_dim=4,
    ))
    for name, model, seed in [("unet", unet, 56), ("text_encoder_2", text, 57)]:
        # What an adapter can change, to keep the file small.
        shapes = {k: list(v.shape) for k, v in model.state_dict().items() if v.dim() > 1}
        describe(folder / f"{name}.safetensors", shapes, seed)
        base = tensors(json.loads((folder / f"{name}.safetensors.json").read_text()))
        model.float().load_state_dict(base, strict=False)
    pipe = StableDiffusionXLPipeline(
        vae=None, tokenizer=None, tokenizer_2=None, scheduler=SCHEDULER,
        text_encoder=CLIPTextModel.from_pretrained(materialise("clip/text_encoder")),
        text_encoder_2=text, unet=unet,
    )
    # What kohya-ss calls the layers; Diffusers' own translation is what is under test.
    names = {
        "input_blocks_0_0": "conv_in",
        "input_blocks_2_0_in_layers_2": "down_blocks.0.resnets.1.conv1",
        "input_blocks_3_0_op": "down_blocks.0.downsamplers.0.conv",
        "input_blocks_4_0_emb_layers_1": "down_blocks.1.resnets.0.time_emb_proj",
        "input_blocks_4_1_proj_in": "down_blocks.1.attentions.0.proj_in",
        "input_blocks_5_1_transformer_blocks_0_attn1_to_q":
            "down_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q",
        "input_blocks_7_0_skip_connection": "down_blocks.2.resnets.0.conv_shortcut",
        "input_blocks_8_1_transformer_blocks_1_attn2_to_k":
            "down_blocks.2.attentions.1.transformer_blocks.1.attn2.to_k",
        "middle_block_0_out_layers_3": "mid_block.resnets.0.conv2",
        "middle_block_1_transformer_blocks_0_ff_net_0_proj":
            "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
        "middle_block_1_transformer_blocks_1_attn1_to_out_0":
            "mid_block.attentions.0.transformer_blocks.1.attn1.to_out.0",
        "middle_block_2_in_layers_2": "mid_block.resnets.1.conv1",
        "output_blocks_0_1_proj_out": "up_blocks.0.attentions.0.proj_out",
        "output_blocks_2_2_conv": "up_blocks.0.upsamplers.0.conv",
        "output_blocks_4_1_transformer_blocks_0_ff_net_2":
            "up_blocks.1.attentions.1.transformer_blocks.0.ff.net.2",
        "output_blocks_8_0_skip_connection": "up_blocks.2.resnets.2.conv_shortcut",
        "time_embed_0": "time_embedding.linear_1",
        "label_emb_0_2": "add_embedding.linear_2",
        "out_2": "conv_out",
    }
    unets = {k: (unet.get_submodule(n), 2, 1.0) for k, n in names.items()}
    # Diffusers knows the attention layers of a text encoder only where out_proj is among them.
    first = {n: (m, 2, 3.0) for n, m in layers(pipe.text_encoder, "out_proj|v_proj|fc1").items()}
    second = {n: (m, 1, 0.5) for n, m in layers(text, "q_proj|out_proj|fc2|text_projection").items()}
    shapes = kohya("lora_unet_", unets)
    below = lambda n: n if n.startswith("text_") else f"text_model.{n}"
    shapes |= kohya("lora_te1_", first, below)
    shapes |= kohya("lora_te2_", second, below)
    describe(folder / "kohya.safetensors", shapes, 58)
    components = ["unet", "text_encoder", "text_encoder_2"]
    before = {c: {k: v.clone() for k, v in getattr(pipe, c).state_dict().items()} for c in components}
    merge(pipe, materialise("lora/sdxl"), {"kohya": 0.9}, components)
    expected = {}
    for component in components:
        after = getattr(pipe, component).state_dict()
        assert after.keys() == before[component].keys()
        for name, weight in after.items():
            if not torch.equal(weight, before[component][name]):
                expected[f"{component}.{name}"] = weight
    asked = {f"unet.{n}" for n in names.values()} | {f"text_encoder.{n}" for n in first}
    asked |= {f"text_encoder_2.{n}" for n in second}
    assert {f"{n}.weight" for n in asked} == expected.keys(), asked - {n[:-7] for n in expected}
    write_merged("lora/sdxl", expected)
    check(expected, "lora/sdxl")


def main():
    small_sd1()
    small_sdxl()


if __name__ == "__main__":
    main()
