"""Golden numbers for src/embed/resize.rs and src/embed/preprocess.rs.

Run with the oracle environment, and with Pillow 12 in a folder of its own:

    pip install --target .venv-oracle/pillow12 pillow==12.0.0
    .venv-oracle/bin/python tests/oracle/golden/resize.py .venv-oracle/pillow12

Made with Pillow 13.0.0 and 12.0.0, torch 2.11.0, transformers 5.23.0, NumPy 2.4.6.
Images are bytes in hexadecimal, rows of red, green, blue. Pillow 12's
are stored where they differ from 13's, and torchvision's where they differ from 12's.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import PIL
from PIL import Image

GOLDEN = pathlib.Path(__file__).parents[2] / "golden" / "resize.json"

# (width, height) -> (width, height); the last rows are those where the order of passes differs.
SIZES = [
    ((7, 5), (4, 4)), ((13, 9), (8, 6)), ((5, 7), (9, 8)), ((3, 3), (8, 5)), ((16, 4), (16, 2)),
    ((4, 16), (2, 16)), ((1, 9), (3, 4)), ((9, 1), (2, 3)), ((5, 6), (5, 6)), ((17, 2), (5, 3)),
    ((6, 31), (4, 5)), ((6, 19), (9, 7)), ((8, 20), (4, 12)), ((8, 21), (4, 12)), ((5, 16), (5, 7)),
]


def noise(rng, width, height):
    """Full-range noise: every rounding and clipping shows."""
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def pil(array, size, filter_name):
    resample = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}[filter_name]
    return np.asarray(Image.fromarray(array).resize(size, resample)).tobytes().hex()


def torchvision(array, size, filter_name):
    """What torchvision.transforms.v2.functional.resize(antialias=True) does to a uint8 image on a CPU.

    Checked against torchvision 0.26.0, which calls just this (_do_native_uint8_resize_on_cpu).
    """
    import torch

    x = torch.from_numpy(array).permute(2, 0, 1)[None].contiguous()
    x = torch.nn.functional.interpolate(
        x, size=(size[1], size[0]), mode=filter_name, antialias=True, align_corners=False
    )
    return x[0].permute(1, 2, 0).numpy().tobytes().hex()


FILTERS = ["bilinear", "bicubic"]


def pictures():
    rng = np.random.default_rng(20261124)
    for source, size in SIZES:
        yield noise(rng, *source), size


def by_pillow():
    return [{name: pil(array, size, name) for name in FILTERS} for array, size in pictures()]


def processed():
    """CLIPImageProcessor with its Pillow backend, on configs and images that differ in parity."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    rng = np.random.default_rng(7)
    common = {"image_processor_type": "CLIPImageProcessor"}
    configs = [
        {"size": {"shortest_edge": 4}, "crop_size": {"height": 4, "width": 4}},
        {"size": 5, "crop_size": 3, "resample": 2},
        {"size": {"shortest_edge": 3}, "crop_size": {"height": 5, "width": 4}},
        {"size": {"height": 4, "width": 3}, "do_center_crop": False, "do_normalize": False},
        {"do_resize": False, "crop_size": {"height": 2, "width": 7}, "image_mean": [0.5, 0.4, 0.3],
         "image_std": [0.2, 0.3, 0.4], "rescale_factor": 0.01},
    ]
    for config in configs:
        for width, height in [(5, 5), (9, 6), (6, 9), (4, 3), (5, 7)]:
            array = noise(rng, width, height)
            processor = CLIPImageProcessorPil(**config)
            pixels = processor(Image.fromarray(array), return_tensors="np")["pixel_values"][0]
            yield {
                "config": common | config,
                "width": width,
                "height": height,
                "image": array.tobytes().hex(),
                "shape": list(pixels.shape),
                # Nine digits are a float32.
                "pixels": [float(f"{v:.9g}") for v in pixels.ravel()],
            }


def main():
    if sys.argv[1:] == ["--old"]:
        print(json.dumps(by_pillow()))
        return
    (old_folder,) = sys.argv[1:]
    env = os.environ | {"PYTHONPATH": old_folder}
    old = json.loads(subprocess.check_output([sys.executable, __file__, "--old"], env=env))
    resized, differ = [], 0
    for (array, size), new, old in zip(pictures(), by_pillow(), old, strict=True):
        row = {"from": [array.shape[1], array.shape[0]], "to": size, "image": array.tobytes().hex()}
        for name in FILTERS:
            row[name] = {"pil": new[name]}
            if old[name] != new[name]:
                row[name]["pil12"] = old[name]
                differ += 1
            if (pixels := torchvision(array, size, name)) != old[name]:
                row[name]["torchvision"] = pixels
        resized.append(row)
    print(f"Pillow {PIL.__version__};", differ, "cases differ")
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in resized)
    steps = ",\n".join(json.dumps(case, separators=(",", ":")) for case in processed())
    GOLDEN.write_text(f'{{"resize":[\n{lines}\n],"preprocess":[\n{steps}\n]}}\n')


if __name__ == "__main__":
    main()
