"""An ImageNet-size table through `hardlight captions`: how much memory that takes.

    tests/oracle/run.sh large
    .venv-oracle/bin/python tests/oracle/large.py HARDLIGHT [MAX_GB]

Makes up 1,281,167 train rows, 50,000 of val and 10,000 of test in 1,000 classes with embeddings of 512
numbers (2.7 GB as .npy), and a CLIP of one layer whose space has as many. HARDLIGHT, the program, goes
through fit, report and caption scoring with the grammar of ImageNet. Anonymous memory (pages mapped from
files are not counted) is looked at all the time; fails if it ever exceeds MAX_GB (4).
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPConfig, CLIPModel

TRAIN, VAL, TEST, CLASSES, DIM = 1_281_167, 50_000, 10_000, 1_000, 512
ROOT = Path(__file__).resolve().parents[2]


def clip(folder):
    """The world's tokenizer and preprocessing, one random layer, a projection of DIM numbers."""
    shutil.copytree(ROOT / "weights/world/clip", folder)
    config = json.loads((folder / "config.json").read_text())
    config["projection_dim"] = DIM
    for tower in ["text_config", "vision_config"]:
        config[tower] |= {"num_hidden_layers": 1, "projection_dim": DIM}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(**config)).save_pretrained(folder)


def data(folder):
    """`table.csv` and `embeddings.npy`, row by row in the same order; a twentieth of a class is wrong twice as often."""
    rng = np.random.default_rng(0)
    names = [line.split("\t")[0] for line in (ROOT / "prompts/imagenet-classes.tsv").read_text().splitlines()]
    names = [name for name in names if name.startswith("n") and name[1:].isdigit()]
    assert len(names) == CLASSES, len(names)
    total = TRAIN + VAL + TEST
    matrix = np.lib.format.open_memmap(folder / "embeddings.npy", "w+", np.float32, (total, DIM))
    centres = rng.standard_normal((CLASSES, DIM), np.float32)
    failure = rng.standard_normal((CLASSES, DIM), np.float32)
    with open(folder / "table.csv", "w") as table:
        table.write("path,label,split,prediction\n")
        for split, first, count in [("train", 0, TRAIN), ("val", TRAIN, VAL), ("test", TRAIN + VAL, TEST)]:
            for start in range(0, count, 10_000):
                n = min(10_000, count - start)
                labels = (np.arange(start, start + n)) % CLASSES
                hard = rng.random(n) < 0.2
                x = centres[labels] + rng.standard_normal((n, DIM), np.float32)
                x[hard] += failure[labels[hard]]
                matrix[first + start : first + start + n] = x
                wrong = rng.random(n) < np.where(hard, 0.8, 0.1)
                said = np.where(wrong, (labels + 1) % CLASSES, labels)
                known = split != "train"
                table.writelines(
                    f"{split}/{start + i:07}.jpg,{names[label]},{split},{names[p] if known else ''}\n"
                    for i, (label, p) in enumerate(zip(labels, said))
                )
    matrix.flush()


def main():
    program, most = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        folder = Path(folder)
        clip(folder / "clip")
        data(folder)
        begun, peak = time.monotonic(), 0
        command = [program, "captions", "--out", "run", "--table", "table.csv", "--clip", "clip"]
        command += ["--embeddings", "embeddings.npy", "--grammar", "imagenet", "--device", "cpu"]
        running = subprocess.Popen(command, cwd=folder, stdout=open(folder / "said", "w"))
        while running.poll() is None:
            try:
                status = Path(f"/proc/{running.pid}/status").read_text()
                peak = max(peak, *(int(l.split()[1]) for l in status.splitlines() if l.startswith("RssAnon")))
            except (FileNotFoundError, TypeError):
                pass
            time.sleep(0.02)
        seconds = time.monotonic() - begun
        assert running.returncode == 0, (running.returncode, (folder / "said").read_text()[-2000:])
        report = json.loads((folder / "run/report.json").read_text())
        found = sum(c["finding"] for c in report["classes"])
        print(
            f"{TRAIN + VAL + TEST} rows of {DIM} numbers, {len(report['classes'])} directions ({found} findings): "
            f"{peak / 2**20:.2f} GiB of anonymous memory at most, {seconds:.0f} s"
        )
        assert peak < most * 1e9 / 1024, f"more than {most} GB"


main()
