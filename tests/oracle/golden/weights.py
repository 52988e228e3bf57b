"""Small networks with weights at which every parameter shows in the output.

The initial weights of the libraries are far too small for that: attention is then uniform and the
blocks nearly the identity, so that a wrong one would pass. Used by clip.py, vae.py and unet.py.
"""

import pathlib
import shutil

import torch
from safetensors.torch import load_file, save_file

GOLDEN = pathlib.Path(__file__).parents[2] / "golden"


@torch.no_grad()
def scale_well(model, seed):
    """Matrices keep the variance of what they map; norms and biases are away from 1 and 0."""
    generator = torch.Generator().manual_seed(seed)
    for _, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() > 1:
            fan_in = parameter[0].numel()
            # Tables of embeddings are looked up, not multiplied with.
            parameter.copy_(noise if is_table(model, parameter) else noise / fan_in**0.5)
        else:
            base = 1.0 if is_norm_weight(model, parameter) else 0.0
            parameter.copy_(base + 0.2 * noise)
    return model.eval()


def owners(model, parameter):
    for module in model.modules():
        for name, own in module.named_parameters(recurse=False):
            if own is parameter:
                yield module, name


def is_table(model, parameter):
    return any(isinstance(module, torch.nn.Embedding) for module, _ in owners(model, parameter))


def is_norm_weight(model, parameter):
    norms = (torch.nn.LayerNorm, torch.nn.GroupNorm)
    return any(isinstance(m, norms) and name == "weight" for m, name in owners(model, parameter))


def save(model, name):
    """Writes config.json and the weights as the library does, and reads them back in float32.

    Reading back matters where the weights were rounded to float16 on the way.
    """
    folder = GOLDEN / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    return type(model).from_pretrained(folder, torch_dtype=torch.float32).eval()


def save_expected(name, **tensors):
    """Inputs and outputs, all as float32 (ids are small whole numbers)."""
    for key, tensor in tensors.items():
        assert torch.isfinite(tensor.float()).all(), (name, key)
    path = GOLDEN / name / "expected.safetensors"
    save_file({key: tensor.float().contiguous() for key, tensor in tensors.items()}, path)
    check(load_file(path), name)


def check(tensors, name):
    spread = {key: round(float(t.std()), 3) for key, t in tensors.items() if t.numel() > 1}
    size = 0
    for path in (GOLDEN / name).iterdir():
        path.chmod(0o644)  # safetensors makes files that only their owner may read.
        size += path.stat().st_size
    print(f"{name}: {size} bytes; deviations {spread}")
