"""Small JPEGs of every kind, and the SHA-256 of the RGB that Pillow makes of them: for src/io/image/jpeg/.

    .venv-oracle/bin/python tests/oracle/golden/jpeg.py

Made with Pillow 13.0.0 and its libjpeg-turbo 3.2.0.
"""

import base64
import hashlib
import io
import json
import pathlib

import numpy as np
from PIL import Image

FILE = pathlib.Path(__file__).parents[2] / "golden" / "jpeg.json"


def picture(width, height, channels):
    """Waves with noise: every coefficient of a block is used."""
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    noise = np.random.default_rng(width * 7 + channels).normal(0, 20, x.shape)
    values = 128 + 60 * np.sin(x / (3 + c)) + 50 * np.cos(y / (4 + c)) + noise
    return np.clip(values, 0, 255).astype(np.uint8)


def jpeg(width, height, mode="RGB", **options):
    values = picture(width, height, len(mode))
    image = Image.fromarray(values[..., 0] if mode == "L" else values, mode)
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 85, **options})
    return file.getvalue()


def patched(data, begin, at, value):
    """The byte `at` places behind `begin` set to another value."""
    data = bytearray(data)
    place = data.index(begin) + at
    data[place] = value
    return bytes(data)


def main():
    files = {
        "baseline 4:4:4": jpeg(40, 24, subsampling=0),
        "baseline 4:2:2": jpeg(33, 17, subsampling=1),
        "baseline 4:2:0": jpeg(47, 31, subsampling=2),
        "4:1:1": jpeg(45, 19, subsampling="4:1:1"),
        # As many blocks as 4:2:2 has, in another order.
        "4:4:0": patched(jpeg(32, 32, subsampling=1), b"\xff\xc0", 11, 0x12),
        "progressive 4:2:0": jpeg(37, 29, subsampling=2, progressive=True),
        "progressive 4:4:4": jpeg(24, 40, subsampling=0, progressive=True),
        "restart markers": jpeg(64, 48, restart_marker_blocks=3),
        "own Huffman tables": jpeg(40, 24, optimize=True, quality=30),
        "quality 100": jpeg(24, 24, quality=100),
        "quality 1": jpeg(40, 40, quality=1),
        "gray": jpeg(39, 21, "L"),
        "gray progressive": jpeg(39, 21, "L", progressive=True),
        "RGB within": jpeg(24, 24, keep_rgb=True),
        "CMYK": jpeg(29, 23, "CMYK"),
        "CMYK progressive": jpeg(29, 23, "CMYK", progressive=True),
        "YCCK": patched(jpeg(29, 23, "CMYK"), b"Adobe", 11, 2),
        "one pixel": jpeg(1, 1),
        "nine by one": jpeg(9, 1, subsampling=2),
        # libjpeg warns of these, and Pillow says nothing.
        "bytes between segments": jpeg(24, 24).replace(b"\xff\xda", b"\0\0\xff\xda", 1),
        "data that lack before the end": jpeg(40, 24)[:-60] + b"\xff\xd9",
        "progressive data that lack": jpeg(40, 24, progressive=True)[:-60] + b"\xff\xd9",
    }
    rows = []
    for name, data in files.items():
        image = Image.open(io.BytesIO(data))
        rgb = np.asarray(image.convert("RGB"))
        rows.append({"kind": name, "mode": image.mode, "size": image.size,
                     "rgb": hashlib.sha256(rgb.tobytes()).hexdigest(),
                     "file": base64.b64encode(data).decode()})
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    print(len(rows), "files,", FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
