"""Image files of every kind, decoded by Pillow and prepared by Transformers and open_clip, for
tests/oracle/preprocess.rs.

`clip`, `siglip` and `open_clip` prepare the same pictures: drawn like photographs, of odd sizes and
kinds. Expected pixels are made with Pillow 13, with Pillow 12 (a process of its own) and, for
Transformers, with torchvision; a CLIP ViT-B/32 image tower with random weights embeds them. These
start from RGB; `whole` is what the image processors and open_clip's transform make of
`Image.open(file)` as it is, each in its own order of conversion and resizing.
`damaged` says of cut and altered files whether Pillow reads them.
"""

import io
import json
import os
import pathlib
import random
import subprocess
import sys

import numpy as np
from PIL import Image, ImageOps

OLD_PILLOW = pathlib.Path(__file__).parents[3] / ".venv-oracle" / "pillow12"
SIZES = [(640, 427), (333, 500), (1023, 767), (225, 224), (224, 231), (227, 500), (100, 75), (37, 41), (1, 300), (300, 1),
         (1900, 24), (31, 1500), (224, 224), (448, 1200)]


def photo(seed, width, height):
    """Light that changes slowly, things with edges, and grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(width, height)
    channels = []
    things = [(rng.random(2), 0.05 + 0.3 * rng.random(), rng.normal(size=3)) for _ in range(12)]
    for c in range(3):
        a, b, e = rng.normal(size=3)
        value = 120 + 50 * np.sin(3 * a * x + 2 * b * y + e) + 20 * np.cos(25 * x * y + c)
        for (cx, cy), radius, color in things:
            inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
            value = np.where(inside, value * 0.4 + 70 * color[c] + 40, value)
        channels.append(value + rng.normal(scale=6, size=value.shape))
    return Image.fromarray(np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8))


def files(folder):
    """Writes the pictures; returns name, whether decoding is exact, and what to do with EXIF."""
    out = []
    def save(name, image, exact=True, turn="ignore", **options):
        image.save(folder / name, **options)
        out.append((name, exact, turn))
    for i, (width, height) in enumerate(SIZES):
        save(f"rgb-{width}x{height}.png", photo(i, width, height))
    color = photo(100, 351, 263)
    gray = photo(101, 263, 351).convert("L")
    deep = (np.asarray(gray).astype(np.uint16) * 3) ** 2 // 9
    alpha = Image.fromarray((np.asarray(gray.resize(color.size)) > 110).astype(np.uint8) * 200)
    save("gray.png", gray)
    save("gray16.png", Image.fromarray(deep))
    save("gray16.tif", Image.fromarray(deep))
    save("gray16-alpha.png", Image.fromarray(deep), transparency=int(deep[0, 0]))
    save("bits.png", gray.convert("1"))
    save("palette.png", color.quantize(64))
    save("palette-transparent.png", color.quantize(64), transparency=bytes(range(64)))
    save("rgba.png", Image.merge("RGBA", [*color.split(), alpha]))
    save("rgb-transparent.png", color, transparency=color.getpixel((9, 9)))
    save("gray-alpha.png", Image.merge("LA", [gray.resize(color.size), alpha]))
    save("rgba.tif", Image.merge("RGBA", [*color.split(), alpha]))
    save("rgba.webp", Image.merge("RGBA", [*color.split(), alpha]), lossless=True)
    for end in ["bmp", "tif"]:
        save(f"bits.{end}", gray.convert("1"))
        save(f"gray.{end}", gray)
    save("palette.bmp", color.quantize(32))
    save("gray.gif", gray)
    for name in ["rgb.bmp", "rgb.tif", "palette.gif"]:
        save(name, color.quantize(128) if name.endswith("gif") else color)
    save("rgb.webp", color, lossless=True)
    for quality, subsampling in [(75, 0), (95, 2), (60, 1)]:
        save(f"rgb-{quality}-{subsampling}.jpg", color, exact=False, quality=quality, subsampling=subsampling)
    save("progressive.jpg", color, exact=False, quality=85, progressive=True)
    save("gray.jpg", gray, exact=False, quality=90)
    save("cmyk.jpg", color.convert("CMYK"), exact=False, quality=90)
    save("cmyk.tif", color.convert("CMYK"))
    # The same data said to be luminance and chroma, as Photoshop writes them.
    data = bytearray((folder / "cmyk.jpg").read_bytes())
    data[data.index(b"Adobe") + 11] = 2
    (folder / "ycck.jpg").write_bytes(data)
    out.append(("ycck.jpg", False, "ignore"))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        save(f"exif-{orientation}.jpg", color, exact=False, turn="apply", quality=90, exif=exif)
        save(f"exif-{orientation}.png", color, turn="apply", exif=exif)
    out.append(("exif-6.png", True, "ignore"))
    save("exif-palette.png", color.quantize(16), turn="apply", exif=exif)
    save("exif-gray16.png", Image.fromarray(deep), turn="apply", exif=exif)
    return out


def opened(path, exif):
    image = Image.open(path)
    return ImageOps.exif_transpose(image) if exif == "apply" else image


def pictures(folder, prepare, config):
    """`prepare` maps a kernel's name to a function of a picture to its pixels."""
    import torch
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    from common import save_tensors, scale_well

    name, value = config
    (folder / name).write_text(json.dumps(value))
    listed = []
    pixels = {kernel: [] for kernel in prepare}
    for i, (name, exact, exif) in enumerate(files(folder)):
        raw = opened(folder / name, exif)
        # Without what `convert` keeps beside the pixels, such as a transparent color.
        image = Image.fromarray(np.asarray(raw.convert("RGB")))
        (folder / f"{i}.rgb").write_bytes(image.tobytes())
        listed.append({"file": name, "mode": raw.mode, "exact": exact, "exif": exif, "width": image.width, "height": image.height})
        pixels.setdefault("whole", []).append(prepare["pil"](raw))
        for kernel, function in prepare.items():
            pixels[kernel].append(function(image))
    (folder / "pictures.json").write_text(json.dumps(listed))
    env = os.environ | {"PYTHONPATH": str(OLD_PILLOW)}
    subprocess.check_call([sys.executable, __file__, "--old", sys.argv[1], str(folder)], env=env)
    pixels["pil12"] = list(np.load(folder / "old.npy"))
    pixels = {kernel: torch.from_numpy(np.stack(list(map(np.asarray, rows)))) for kernel, rows in pixels.items()}
    save_file(pixels, folder / "pixels.safetensors")

    model = CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=512))
    scale_well(model, seed=5).save_pretrained(folder / "tower")
    embed = lambda rows: torch.cat([model(pixel_values=part).image_embeds for part in rows.split(16)])
    save_tensors(folder / "embeddings.safetensors", **{kernel: embed(rows) for kernel, rows in pixels.items()})


def old(case, folder):
    """Within the process of Pillow 12: the pixels of the decoded pictures."""
    import PIL

    assert PIL.__version__.startswith("12."), PIL.__version__
    prepare = CONFIGS[case][1]()["pil"]
    listed = json.loads((folder / "pictures.json").read_text())
    sizes = [(picture["width"], picture["height"]) for picture in listed]
    rows = [prepare(Image.frombytes("RGB", size, (folder / f"{i}.rgb").read_bytes())) for i, size in enumerate(sizes)]
    np.save(folder / "old.npy", np.stack(rows))


def transformers_processors(kind):
    def make():
        if kind == "clip":
            from transformers.models.clip.image_processing_clip import CLIPImageProcessor as torchvision
            from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as pil
        else:
            from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil as pil
            from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor as torchvision
        run = lambda processor: lambda image: np.asarray(processor(image, return_tensors="np")["pixel_values"][0], dtype=np.float32)
        return {"pil": run(pil()), "torchvision": run(torchvision())}
    return make


def open_clip_transform():
    from open_clip.transform import PreprocessCfg, image_transform_v2

    transform = image_transform_v2(PreprocessCfg(**OPEN_CLIP["preprocess_cfg"]), is_train=False)
    return {"pil": lambda image: transform(image).numpy()}


# As the released folders say: openai/clip-vit-base-patch32, google/siglip-base-patch16-224, LAION's.
CLIP = {"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 224}
SIGLIP = {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
          "image_std": [0.5, 0.5, 0.5], "processor_class": "SiglipProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
          "size": {"height": 224, "width": 224}}
OPEN_CLIP = {"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}},
             "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}}
CONFIGS = {
    "clip": (("preprocessor_config.json", CLIP), transformers_processors("clip")),
    "siglip": (("preprocessor_config.json", SIGLIP), transformers_processors("siglip")),
    "open_clip": (("open_clip_config.json", OPEN_CLIP), open_clip_transform),
}


def damaged(folder):
    """Files that end early, and PNGs with one byte altered: what Pillow makes of them."""
    rng = random.Random(3)
    color = photo(100, 151, 103)
    listed = []
    def judge(name, data, kind):
        try:
            pixels = Image.open(io.BytesIO(data)).convert("RGB").tobytes()
        except Exception:
            pixels = None
        (folder / name).write_bytes(data)
        if pixels is not None:
            (folder / f"{name}.rgb").write_bytes(pixels)
        listed.append({"file": name, "kind": kind, "read": pixels is not None})
    for format, options in [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("GIF", {})]:
        buffer = io.BytesIO()
        (color.quantize(64) if format == "GIF" else color).save(buffer, format, **options)
        whole = buffer.getvalue()
        name = f"{format.lower()}{len(listed)}"
        judge(f"{name}-whole", whole, "whole")
        for length in sorted({len(whole) - 1, len(whole) - 2, len(whole) - 30, len(whole) * 9 // 10, *rng.sample(range(10, len(whole)), 20)}):
            judge(f"{name}-cut-{length}", whole[:length], "cut")
        if format == "PNG":
            for at in rng.sample(range(60, len(whole) - 20), 60):
                judge(f"{name}-altered-{at}", whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :], "altered")
    (folder / "damaged.json").write_text(json.dumps(listed))


if __name__ == "__main__":
    if sys.argv[1] == "--old":
        old(sys.argv[2], pathlib.Path(sys.argv[3]))
    else:
        from common import main

        cases = {name: lambda folder, c=c: pictures(folder, c[1](), c[0]) for name, c in CONFIGS.items()}
        main(cases | {"damaged": damaged})
