"""Golden pixels for src/embed/preprocess.rs: SigLIP's processor and open_clip's transform.

    .venv-oracle/bin/python tests/oracle/golden/preprocess.py

CLIPImageProcessor's are made by resize.py. Made with Pillow 13.0.0, transformers 5.23.0, open_clip
3.3.0, torchvision 0.26.0. Images are bytes and pixels float32 (little-endian), in hexadecimal.
"""

import json
import pathlib

import numpy as np
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

GOLDEN = pathlib.Path(__file__).parents[2] / "golden" / "preprocess.json"

SIGLIP = [
    {"image_processor_type": "SiglipImageProcessor", "size": {"height": 5, "width": 5}},
    {"image_processor_type": "SiglipImageProcessor", "size": {"height": 3, "width": 6}, "resample": 2, "image_mean": [0.1, 0.2, 0.3]},
]
OPEN_CLIP = [
    {"size": 4},
    {"size": [5, 5], "interpolation": "bilinear", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
    {"size": 4, "resize_mode": "squash", "mean": [0.5] * 3, "std": [0.5] * 3, "mode": "RGB", "fill_color": 0},
]


def main():
    rng = np.random.default_rng(20261124)
    prepare = [
        ("preprocessor_config.json", config, lambda image, p=SiglipImageProcessorPil(**config): p(image, return_tensors="np")["pixel_values"][0])
        for config in SIGLIP
    ] + [
        ("open_clip_config.json", {"preprocess_cfg": config}, lambda image, t=image_transform_v2(PreprocessCfg(**config), is_train=False): t(image).numpy())
        for config in OPEN_CLIP
    ]
    rows = []
    for file, config, function in prepare:
        # What the centre crop leaves over is 0, 1, 2 and 3 mod 4.
        for width, height in [(5, 5), (9, 7), (5, 7), (8, 4), (7, 4), (2, 13)]:
            array = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            pixels = np.asarray(function(Image.fromarray(array)), dtype="<f4")
            rows.append({"file": file, "config": config, "width": width, "height": height, "image": array.tobytes().hex(),
                         "shape": list(pixels.shape), "pixels": pixels.tobytes().hex()})
    GOLDEN.write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
