"""Golden pixels for src/embed/preprocess.rs: open_clip's transform on pictures that are not RGB.

    .venv-oracle/bin/python tests/oracle/golden/preprocess_modes.py

Files of each of Pillow's modes, and the bytes (rows of red, green, blue) that the transform makes of
`Image.open(file)`, both in hexadecimal. Made with Pillow 13.0.0, open_clip 3.3.0, torchvision 0.26.0.
"""

import io
import json
import pathlib

import numpy as np
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

GOLDEN = pathlib.Path(__file__).parents[2] / "golden" / "preprocess_modes.json"
# Bytes as numbers from 0 to 1.
CONFIG = {"size": 4, "mean": [0, 0, 0], "std": [1, 1, 1]}


def main():
    rng = np.random.default_rng(20261124)
    transform = image_transform_v2(PreprocessCfg(**CONFIG), is_train=False)
    rows = []

    def add(image, format, **options):
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        opened = Image.open(io.BytesIO(buffer.getvalue()))
        bytes_ = (transform(opened).numpy() * 255).round().astype(np.uint8).transpose(1, 2, 0)
        rows.append({"mode": opened.mode, "format": format, "file": buffer.getvalue().hex(), "pixels": bytes_.tobytes().hex()})

    # Wide, and so tall that Pillow shrinks the height first.
    for width, height in [(7, 5), (5, 11)]:
        color = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        gray = Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8))
        alpha = Image.fromarray(rng.choice([0, 1, 90, 255], (height, width)).astype(np.uint8))
        # Around 255, where 16 bits are cut off, and at the end, where sums leave them.
        deep = rng.choice([0, 100, 240, 300, 65535], (height, width), p=[0.1, 0.4, 0.3, 0.1, 0.1]).astype(np.uint16)
        add(Image.merge("LA", [gray, alpha]), "PNG")
        add(Image.fromarray(deep), "PNG")
    add(gray.convert("1"), "PNG")
    add(color.quantize(8), "PNG", transparency=bytes(range(0, 240, 30)))
    color = color.crop((0, 0, 5, 6))
    add(Image.merge("RGBA", [*color.split(), alpha.crop((0, 0, 5, 6))]), "PNG")
    add(color.convert("CMYK"), "TIFF")
    add(color.quantize(4), "GIF")
    add(gray.quantize(4).convert("L"), "PNG")
    add(color.quantize(4), "BMP")
    add(gray.convert("1"), "BMP")
    add(gray.convert("1"), "TIFF")
    lines = ",\n".join(map(json.dumps, rows))
    GOLDEN.write_text(f'{{"config": {json.dumps(CONFIG)}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
