"""Small checkpoints of which no weight is stored: every number follows from a seed and the tensor's
name. tests/common/formula.rs makes the same bits.

In place of each `X.safetensors` a folder under tests/golden has `X.safetensors.json`:

- `seed`, `dtype` (F16 or F32), and the header's `metadata`;
- `names`: shapes by name, as a tree whose path, joined, is the name. A number in place of a shape is a
  scalar of that value;
- `given`: numbers that follow from no formula, by name;
- `plain`: all numbers have variance 1 (inputs).

Otherwise matrices keep the variance of what they map, tables of embeddings have variance 1, and norms
and biases are away from 1 and 0, so that every parameter shows in the output. (The initial weights of
the libraries are far too small for that: attention is then uniform and the blocks nearly the identity,
so that a wrong one would pass.)

Where `parts.json` says {"unet": "unet/sd1"}, the folder tests/golden/unet/sd1 belongs below it as
`unet`; a file that is there already stays.
"""

import json
import math
import pathlib
import re
import shutil
import tempfile

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

GOLDEN = pathlib.Path(__file__).parents[2] / "golden"
MASK = 2**64 - 1
TABLE = re.compile(r"(token|position)_embedding\.weight$|positional_embedding$|probe$")
DTYPES = {"F16": np.float16, "F32": np.float32}

_scratch = tempfile.TemporaryDirectory()


def fresh():
    """An empty folder, gone when the script ends."""
    return pathlib.Path(tempfile.mkdtemp(dir=_scratch.name))


def draw(seed, name, count):
    """`count` numbers of variance 1, evenly between -sqrt(3) and sqrt(3): SplitMix64 from the FNV-1a
    hash of seed and name. Only + - * / and sqrt, which IEEE 754 rounds in one way."""
    state = 0xCBF29CE484222325
    for byte in f"{seed}:{name}".encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) / 8388608.0 - 1.0) * math.sqrt(3.0)


def numbers(seed, name, shape, plain):
    noise = draw(seed, name, math.prod(shape))
    if plain or TABLE.search(name):
        pass
    elif len(shape) > 1:
        noise /= math.sqrt(math.prod(shape[1:]))
    else:
        noise = (1.0 if name.endswith(".weight") else 0.0) + 0.2 * noise
    return noise.astype(np.float32).reshape(shape)


def tree(leaves):
    """{"a.b_c": 1, "a.d": 2} as {"a.": {"b_c": 1, "d": 2}}."""
    groups = {}
    for name, leaf in leaves.items():
        first = re.match(r"[^._]*[._]*", name).group()
        groups.setdefault(first, {})[name[len(first):]] = leaf
    out = {}
    for first, below in groups.items():
        below = tree(below) if list(below) != [""] else below
        if len(below) == 1:
            ((rest, below),) = below.items()
            first += rest
        out[first] = below
    return out


def leaves(branch, prefix=""):
    for name, below in branch.items():
        if isinstance(below, dict):
            yield from leaves(below, prefix + name)
        else:
            yield prefix + name, below


def describe(path, shapes, seed, given=None, dtype="F16", metadata=None, plain=False):
    """Writes `path`.json; a shape may be a scalar's value."""
    description = {"seed": seed, "dtype": dtype}
    description |= {"metadata": metadata} if metadata else {}
    description |= {"plain": True} if plain else {}
    description |= {"given": given} if given else {}
    description["names"] = tree(dict(sorted(shapes.items())))
    text = json.dumps(description, separators=(",", ":"))
    path.with_name(path.name + ".json").write_text(text + "\n")


def tensors(description):
    out = {}
    dtype, given = DTYPES[description["dtype"]], description.get("given", {})
    for name, shape in leaves(description["names"]):
        if not isinstance(shape, list):
            value = np.array(shape)
        elif name in given:
            value = np.array(given[name]).reshape(shape)
        else:
            value = numbers(description["seed"], name, shape, description.get("plain"))
        out[name] = torch.from_numpy(value.astype(dtype))
    return out


def materialise(name):
    """The folder tests/golden/NAME with its weights."""
    folder = fresh()
    assemble(GOLDEN / name, folder)
    return folder


def assemble(source, folder):
    parts = source / "parts.json"
    for part, other in json.loads(parts.read_text()).items() if parts.exists() else []:
        assemble(GOLDEN / other, folder / part)
    folder.mkdir(exist_ok=True, parents=True)
    for path in source.iterdir():
        to = folder / path.name
        if path.is_dir():
            assemble(path, to)
        elif path.name.endswith(".safetensors.json"):
            description = json.loads(path.read_text())
            metadata = description.get("metadata", {"format": "pt"})
            save_file(tensors(description), to.with_suffix(""), metadata=metadata)
        elif path != parts:
            shutil.copyfile(path, to)


def publish(folder, name, seed, given=None, dtype="F16"):
    """Makes tests/golden/NAME of a folder as a library wrote it: only its names and shapes count.
    Returns that folder with the weights of `seed`, to be opened."""
    to = GOLDEN / name
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".safetensors":
            describe(to / path.name, shapes_of(path), seed, given, dtype)
        else:
            shutil.copyfile(path, to / path.name)
    return materialise(name)


def publish_model(model, name, seed, given=None, dtype="F16"):
    """The same of a model that can save itself; returns it in float32 with the weights of `seed`."""
    folder = fresh()
    (model.half() if dtype == "F16" else model.float()).save_pretrained(folder)
    folder = publish(folder, name, seed, given, dtype)
    return type(model).from_pretrained(folder, torch_dtype=torch.float32).eval()


def shapes_of(path):
    with safe_open(path, "pt") as file:
        return {key: file.get_slice(key).get_shape() for key in file.keys()}


def inputs(name, seed, given=None, **shapes):
    """Formula-made inputs of a golden case, and `given` ones (a tensor each), all float32."""
    given = given or {}
    shapes = {k: list(v) for k, v in shapes.items()} | {k: list(v.shape) for k, v in given.items()}
    numbers = {key: value.flatten().tolist() for key, value in given.items()}
    path = GOLDEN / name / "inputs.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    describe(path, shapes, seed, numbers, "F32", plain=True)
    return tensors(json.loads(path.with_name(path.name + ".json").read_text()))


def save_expected(name, **outputs):
    """Outputs in float32, or bytes as they are."""
    outputs = {k: t if t.dtype == torch.uint8 else t.float() for k, t in outputs.items()}
    for key, tensor in outputs.items():
        assert torch.isfinite(tensor).all(), (name, key)
    path = GOLDEN / name / "expected.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in outputs.items()}, path)
    path.chmod(0o644)  # safetensors makes files that only their owner may read.
    check(load_file(path), name)


def check(tensors, name):
    spread = {key: round(float(t.float().std()), 3) for key, t in tensors.items() if t.numel() > 1}
    size = sum(path.stat().st_size for path in (GOLDEN / name).rglob("*") if path.is_file())
    print(f"{name}: {size} bytes; deviations {spread}")
