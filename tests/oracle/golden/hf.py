"""A table of images as `datasets` writes it, for src/dataset/hf/tests.rs.

    pip install datasets==5.2.0 pillow==13.0.0
    python tests/oracle/golden/hf.py

Made with datasets 5.2.0, pyarrow 26.0.1, Pillow 13.0.0. Row `i` is a 4 x 3 picture whose every pixel is
(10 i, 20 i, 30 i): even rows are PNGs from memory, odd rows were PNG files, whose bytes are taken into
the table as `push_to_hub` does.
"""

import pathlib
import tempfile

from datasets import ClassLabel, Dataset, Features, Image, Value
from datasets.table import embed_table_storage
from PIL import Image as Pillow

GOLDEN = pathlib.Path(__file__).parents[2] / "golden" / "hf" / "data"
NAMES = ["tench, Tinca tinca", "goldfish"]
ROWS = 5


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    features = Features(
        {"image": Image(), "label": ClassLabel(names=NAMES), "place": Value("string")}
    )
    with tempfile.TemporaryDirectory() as folder:
        images = []
        for i in range(ROWS):
            image = Pillow.new("RGB", (4, 3), (10 * i, 20 * i, 30 * i))
            if i % 2:
                path = str(pathlib.Path(folder) / f"{i}.png")
                image.save(path)
                images.append(path)
            else:
                images.append(image)
        table = {
            "image": images,
            "label": [i % 2 for i in range(ROWS)],
            "place": [None if i == 0 else f"pond {i}" for i in range(ROWS)],
        }
        dataset = Dataset.from_dict(table, features=features).with_format("arrow")
        dataset = dataset.map(embed_table_storage, batched=True)
        path = GOLDEN / "validation-00000-of-00001.parquet"
        dataset.to_parquet(path, batch_size=2)
    print(path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
