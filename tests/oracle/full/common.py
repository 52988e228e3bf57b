"""What every script here shares: a command line, seeded weights, and files of tensors.

A script lists its cases with `--list`; with a case and a folder it writes that case:

    .venv-oracle/bin/python tests/oracle/full/SUITE.py CASE FOLDER
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file


def main(cases):
    """`cases` maps names to functions of the folder to write."""
    if sys.argv[1:] == ["--list"]:
        print("\n".join(cases))
        return
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    torch.set_num_threads(2)
    with torch.no_grad():
        cases[name](folder)


@torch.no_grad()
def scale_well(model, seed, stream=1.0):
    """Seeded weights at which every parameter shows in the output: matrices keep the variance of
    what they map, norms and biases are away from 1 and 0, tables of embeddings are standard normal.

    The initial weights of the libraries are far too small for that: attention is then uniform and
    the blocks nearly the identity, so that a wrong one would pass.
    """
    generator = torch.Generator().manual_seed(seed)
    tables, norms = set(), set()
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            tables.add(id(module.weight))
        if isinstance(module, (torch.nn.LayerNorm, torch.nn.GroupNorm)) and module.weight is not None:
            norms.add(id(module.weight))
    for _, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() > 1:
            scale = 1.0 if id(parameter) in tables else stream / parameter[0].numel() ** 0.5
            parameter.copy_(noise.mul_(scale))
        else:
            parameter.copy_((1.0 if id(parameter) in norms else 0.0) + 0.2 * noise)
    return model.eval()


def save_tensors(path, **tensors):
    """Inputs and outputs as float32 (integers as int64)."""
    out = {}
    for key, tensor in tensors.items():
        assert torch.isfinite(tensor.double()).all(), key
        out[key] = (tensor.float() if tensor.is_floating_point() else tensor.long()).contiguous()
    save_file(out, path)
