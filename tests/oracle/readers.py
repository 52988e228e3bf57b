"""Exports as the libraries they are made for read them.

    tests/oracle/run.sh readers                     # on a small run, in .venv-readers
    .venv-readers/bin/python tests/oracle/readers.py HARDLIGHT RUN

HARDLIGHT is the program, RUN a run folder with a manifest whose weights are 1 or 0. Every format is
exported into a temporary folder; every reader must give back every row of the manifest: its image, to
the pixel, with its label. FiftyOne is asked if it is installed. Prints a line a reader, and fails at
the first difference.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torchvision
import webdataset as wds
from PIL import Image


def pixels(image):
    """What two images share if and only if they are the same picture."""
    array = np.asarray(image.convert("RGB"))
    return array.shape, array.tobytes()


def content(pairs):
    """Labels and pictures, in an order of their own."""
    return sorted((int(label), *pixels(image)) for label, image in pairs)


def check(name, pairs, expected):
    found = content(pairs)
    assert len(found) == len(expected), f"{name}: {len(found)} images of {len(expected)}"
    assert found == expected, f"{name}: other images or labels"
    print(f"{name:<34} {len(found)} rows, images and labels equal")


def main(program, run):
    folder = run / "manifest"
    table = pq.read_table(folder / "train.parquet").to_pylist()
    frame = pd.read_parquet(folder / "train.parquet")
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    csv = pd.read_csv(folder / "train.csv", keep_default_na=False, dtype=str)
    assert table == lines, "pyarrow and JSON lines differ"
    assert frame["id"].tolist() == csv["id"].tolist() == [row["id"] for row in lines]
    assert frame["label"].tolist() == csv["label"].astype(int).tolist()
    assert frame["weight"].tolist() == csv["weight"].astype(float).tolist()
    assert csv.columns.tolist() == frame.columns.tolist() == list(lines[0])
    print(f"{'pyarrow, pandas, json, csv':<34} {len(table)} rows equal")

    kept = [row for row in lines if row["weight"] > 0]
    where = {row["id"]: run / row["root"] / row["path"] for row in kept}
    expected = content((row["label"], Image.open(where[row["id"]])) for row in kept)
    synthetic = sum(row["source"] == "synthetic" for row in kept)

    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        for format in ["imagefolder", "hf", "webdataset", "fiftyone"]:
            command = [program, "manifest", run, "--export", format, "--to", out / format]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        found = torchvision.datasets.ImageFolder(out / "imagefolder/train")
        indices = json.loads((out / "imagefolder/class_to_idx.json").read_text())
        assert found.class_to_idx == indices, found.class_to_idx
        check("torchvision ImageFolder", ((label, image) for image, label in found), expected)

        cache = str(out / "cache")
        found = datasets.load_dataset("imagefolder", data_dir=str(out / "hf"), cache_dir=cache)
        assert list(found) == ["train"], found
        found = found["train"]
        check("datasets imagefolder", ((r["label"], r["image"]) for r in found), expected)
        assert sum(found["synthetic"]) == synthetic
        assert sorted(found["id"]) == sorted(where)
        assert str(found.features["weight"].dtype) == "float64", found.features

        shards = sorted(str(path) for path in (out / "webdataset").glob("train-*.tar"))
        samples = wds.WebDataset(shards, shardshuffle=False).decode("pil")
        rows = [(s["cls"], s["jpg"] if "jpg" in s else s["png"], s["json"]) for s in samples]
        check("webdataset", ((label, image) for label, image, _ in rows), expected)
        assert [facts["id"] for *_, facts in rows] == [row["id"] for row in kept]

        found = datasets.load_dataset(
            "webdataset", data_files={"train": shards}, split="train", cache_dir=cache
        )
        image = "jpg" if "jpg" in found.column_names else "png"
        check("datasets webdataset", ((r["cls"], r[image]) for r in found), expected)
        assert [facts["id"] for facts in found["json"]] == [row["id"] for row in kept]

        try:
            import fiftyone
        except ImportError:
            # Its layout by its own rule: a file's stem is its key.
            labels = json.loads((out / "fiftyone/train/labels.json").read_text())
            files = sorted((out / "fiftyone/train/data").iterdir())
            pairs = ((labels["labels"][f.stem], Image.open(f)) for f in files)
            check("fiftyone's layout (not installed)", pairs, expected)
        else:
            found = fiftyone.Dataset.from_dir(
                dataset_dir=str(out / "fiftyone/train"),
                dataset_type=fiftyone.types.FiftyOneImageClassificationDataset,
            )
            classes = found.default_classes
            pairs = (
                (classes.index(s.ground_truth.label), Image.open(s.filepath)) for s in found
            )
            check(f"fiftyone {fiftyone.__version__}", pairs, expected)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]))
