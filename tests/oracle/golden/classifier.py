"""Small TorchScript classifiers for src/classifier/script.rs, and what torch and torchvision make of them.

    .venv-oracle/bin/python tests/oracle/golden/classifier.py

Made with torch 2.11.0, torchvision 0.26.0, Pillow 13.0.0. Pictures follow from their number: `picture`
here and in tests/command/classifier.rs are the same formula.

- `logits.pt`: three logits, of a scripted module left in training mode (batch norm and dropout).
- `features.pt`: two logits and six features, as a tuple; traced.
- `one.pt`: one logit, `[n]`. `many.pt`: fourteen logits.
- `named.pt`: a named tuple of logits and None. `dict.pt`: a dict. `fixed.pt`: traced with one image and
  so bound to it. `throws.pt`: raises on a bright picture. `nan.pt`: gives NaN for one.
- `dropout.pt`: traced in training mode. `batch.pt`: the same without dropout, so that only batch norm is left.
- `weights.pt`: a state_dict. `exported.pt2`: of torch.export, the names of its members alone.
"""

import csv
import json
import pathlib
import warnings
import zipfile
from typing import Dict, NamedTuple, Optional

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

FOLDER = pathlib.Path(__file__).parents[2] / "golden" / "classifier"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
BILINEAR, BICUBIC = InterpolationMode.BILINEAR, InterpolationMode.BICUBIC

# Settings as the run writes them, and the transform that they stand for.
CASES = [
    ({"classifier_input": 8, "classifier_resize": 9}, [T.Resize(9, BILINEAR), T.CenterCrop(8)], MEAN, STD),
    ({"classifier_input": [6, 9], "classifier_resize": 12, "classifier_filter": "bicubic"},
     [T.Resize(12, BICUBIC), T.CenterCrop((6, 9))], MEAN, STD),
    ({"classifier_input": [8, 10], "classifier_resize": "squash", "classifier_mean": [0.5, 0.4, 0.3],
      "classifier_std": [0.2, 0.3, 0.4]}, [T.Resize((8, 10), BILINEAR)], [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]),
    ({"classifier_input": 12, "classifier_resize": "none"}, [T.CenterCrop(12)], MEAN, STD),
    ({}, [T.Resize(256, BILINEAR), T.CenterCrop(224)], MEAN, STD),
]
PICTURES = 40


def picture(i):
    w, h = 10 + i % 7, 9 + i % 5
    y, x, c = np.mgrid[0:h, 0:w, 0:3]
    values = i * 53 + x * (7 + i % 3) + y * (11 + i % 5) + c * 67 + (x * y * i) % 31
    return Image.fromarray((values % 256).astype(np.uint8))


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
                                  nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Dropout(0.5))
        self.head = nn.Linear(6, classes)

    def forward(self, x):
        return self.head(self.body(x))


class Features(Net):
    def forward(self, x):
        features = self.body(x)
        return self.head(features), features


class One(Net):
    def forward(self, x):
        return self.head(self.body(x))[:, 0]


class Named(NamedTuple):
    logits: torch.Tensor
    aux_logits: Optional[torch.Tensor]


class NamedNet(Net):
    def forward(self, x) -> Named:
        return Named(self.head(self.body(x)), None)


class DictNet(Net):
    def forward(self, x) -> Dict[str, torch.Tensor]:
        return {"logits": self.head(self.body(x))}


class Fixed(Net):
    def forward(self, x):
        return self.head(self.body(x).reshape(1, 6))


class Throws(Net):
    def forward(self, x):
        if bool((x.mean(dim=[1, 2, 3]) > 0.6).any()):
            raise RuntimeError("too bright for me")
        return self.head(self.body(x))


class Nan(Net):
    def forward(self, x):
        bright = x.mean(dim=[1, 2, 3]) > 0.6
        return torch.where(bright[:, None], torch.full([1, 1], float("nan")), self.head(self.body(x)))


def make(kind, classes):
    """A module with weights of its own and batch statistics of real pictures."""
    torch.manual_seed(20261124)
    net = kind(classes)
    net.head.weight.data.mul_(4)
    norm = T.Compose([T.Resize((8, 8)), T.ToTensor(), T.Normalize(MEAN, STD)])
    batch = torch.stack([norm(picture(i)) for i in range(PICTURES)])
    for _ in range(30):
        Net.forward(net.train(), batch)
    # Between the classes, so that all of them are predicted.
    with torch.no_grad():
        net.head.bias.sub_(Net.forward(net.eval(), batch).mean(0))
    return net


def strip(name, empty=False):
    """Leaves out where the code came from: paths of this machine. `empty` keeps the names alone."""
    path = FOLDER / name
    with zipfile.ZipFile(path) as archive:
        members = [(n, archive.read(n)) for n in archive.namelist() if not n.endswith(".debug_pkl")]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.writestr(zipfile.ZipInfo(member), b"" if empty else content)


def save(name, module):
    module.save(str(FOLDER / name))
    strip(name)


def main():
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    nets = {"logits.pt": make(Net, 3), "features.pt": make(Features, 2), "one.pt": make(One, 1),
            "many.pt": make(Net, 14), "named.pt": make(NamedNet, 3)}
    example = torch.zeros(2, 3, 8, 8)
    save("logits.pt", torch.jit.script(nets["logits.pt"].train()))
    nets["logits.pt"].eval()
    for name in ["features.pt", "one.pt", "many.pt"]:
        save(name, torch.jit.trace(nets[name], example))
    save("named.pt", torch.jit.script(nets["named.pt"]))
    save("dict.pt", torch.jit.script(make(DictNet, 2)))
    save("fixed.pt", torch.jit.trace(make(Fixed, 2), example[:1]))
    save("throws.pt", torch.jit.script(make(Throws, 2)))
    save("nan.pt", torch.jit.script(make(Nan, 2)))
    training = make(Net, 2)
    save("dropout.pt", torch.jit.trace(training.train(), example, check_trace=False))
    training.body[-1].p = 0.0
    save("batch.pt", torch.jit.trace(training.train(), example, check_trace=False))
    torch.save(nets["logits.pt"].state_dict(), FOLDER / "weights.pt")
    torch.export.save(torch.export.export(nets["logits.pt"], (example,)), FOLDER / "exported.pt2")
    strip("exported.pt2", empty=True)

    rows = []
    for settings, transform, mean, std in CASES:
        full = T.Compose(transform + [T.ToTensor(), T.Normalize(mean, std)])
        numbers = range(0, PICTURES, 4) if settings else [3]
        batch = torch.stack([full(picture(i)) for i in numbers])
        for name, net in nets.items():
            with torch.no_grad():
                said = net(batch)
            logits, features = said if isinstance(said, tuple) else (said, None)
            logits = logits.reshape(len(batch), -1)
            rows.append({"settings": settings, "model": name, "pictures": list(numbers),
                         "logits": logits.tolist(), "features": None if features is None else features.tolist()})
    (FOLDER / "expected.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")

    # A data set on which features.pt is mostly right: val and test of two classes.
    full = T.Compose([T.Resize((8, 8), BILINEAR), T.ToTensor(), T.Normalize(MEAN, STD)])
    batch = torch.stack([full(picture(i)) for i in range(PICTURES)])
    with torch.no_grad():
        p = nets["features.pt"](batch)[0].softmax(-1)
        score = torch.sigmoid(nets["one.pt"](batch))
    with open(FOLDER / "pictures.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["path", "label", "split", "prediction", "confidence", "score"])
        for i in range(PICTURES):
            said = int(p[i].argmax())
            wrong = i % 5 in (0, 2)
            split = "val" if i < 28 else "test"
            label = 1 - said if wrong else said
            table.writerow([f"{i}.png", "ab"[label], split, "ab"[said], float(p[i, said]), float(score[i])])


if __name__ == "__main__":
    main()
