"""Retrains a classifier on a run's manifest, with its weights, and judges it on a test split.

    pip install torch torchvision pyarrow
    python examples/retrain.py runs/cats --test data/cats/test --predictions after.csv
    hardlight evaluate runs/cats --before before.csv --after after.csv

`--model` is `small` (a CNN of four layers) or any name of torchvision.models, such as resnet18, with
`--pretrained` from ImageNet. `--groups` is a CSV with columns `path` (as in the predictions: the test
folder's name, class, file) and `group`. A row's loss counts as often as its weight says; 0 leaves it out.
"""

import argparse
import csv
import sys
from pathlib import Path

import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms
from torchvision.datasets.folder import IMG_EXTENSIONS

SCALE = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}  # ImageNet's


class Images(Dataset):
    """Paths with a label and a weight each."""

    def __init__(self, items, size, flip):
        steps = [transforms.Resize((size, size)), *([transforms.RandomHorizontalFlip()] if flip else [])]
        self.prepare = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(**SCALE)])
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        path, label, weight = self.items[index]
        return self.prepare(Image.open(path).convert("RGB")), label, weight


def manifest(run):
    """The classes by index, and path, label and weight of every row that training sees."""
    rows = pq.read_table(run / "manifest/train.parquet").to_pylist()
    if any(row["member"] for row in rows):
        sys.exit("some images lie inside archives: hardlight manifest RUN --export imagefolder --to DIR")
    classes = dict(sorted({row["label"]: row["class"] for row in rows}.items()))
    # A relative root starts from the run folder; an absolute one stays as it is.
    return classes, [(run / row["root"] / row["path"], row["label"], row["weight"]) for row in rows if row["weight"] > 0]


def small(classes):
    def block(i, o):
        return [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block(3, 32), *block(32, 64), *block(64, 128), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, classes))


def network(name, classes, pretrained):
    if name == "small":
        return small(classes)
    net = models.get_model(name, weights="DEFAULT" if pretrained else None)
    *path, last = [key for key, module in net.named_modules() if isinstance(module, nn.Linear)][-1].split(".")
    parent = net.get_submodule(".".join(path))
    setattr(parent, last, nn.Linear(getattr(parent, last).in_features, classes))
    return net


def main(args):
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    classes, items = manifest(args.run)
    net = network(args.model, max(classes) + 1, args.pretrained).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr)
    loader = DataLoader(Images(items, args.size, flip=True), args.batch, shuffle=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.epochs * len(loader))
    print(f"training {args.model} on {len(items)} images, of weight {sum(item[2] for item in items):g}")
    for epoch in range(args.epochs):
        net.train()
        total = 0.0
        for pixels, labels, weights in loader:
            losses = nn.functional.cross_entropy(net(pixels.to(device)), labels.to(device), reduction="none")
            loss = (losses * weights.to(device, losses.dtype)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(labels)
        print(f"epoch {epoch + 1}: loss {total / len(items):.4f}")
    if args.test:
        judge(net.eval(), classes, args, device)


@torch.no_grad()
def judge(net, classes, args, device):
    """Accuracy by class, and by group within it; predictions as hardlight reads them."""
    files = [(p, label) for label, name in classes.items() for p in sorted((args.test / name).rglob("*")) if p.suffix.lower() in IMG_EXTENSIONS]
    loader = DataLoader(Images([(path, label, 1.0) for path, label in files], args.size, flip=False), args.batch)
    said = torch.cat([net(pixels.to(device)).argmax(1).cpu() for pixels, _, _ in loader]).tolist()
    names = [f"{args.test.resolve().name}/{path.relative_to(args.test).as_posix()}" for path, _ in files]
    groups = {row["path"]: row["group"] for row in csv.DictReader(open(args.groups, newline=""))} if args.groups else {}
    right = {}
    for name, (_, label), prediction in zip(names, files, said):
        for part in [("all",), (classes[label],), (classes[label], groups.get(name, "no group"))][: 3 if groups else 2]:
            right.setdefault(part, []).append(prediction == label)
    for part, each in sorted(right.items()):
        print(f"{' / '.join(part):<32} {sum(each) / len(each):.3f} of {len(each)}")
    if args.predictions:
        with open(args.predictions, "w", newline="") as file:
            csv.writer(file).writerows([("path", "prediction"), *((name, classes[p]) for name, p in zip(names, said))])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    for name in ["--test", "--groups", "--predictions"]:
        parser.add_argument(name, type=Path)
    for name, default in [("--model", "small"), ("--size", 64), ("--epochs", 15), ("--batch", 32), ("--lr", 3e-3), ("--seed", 0)]:
        parser.add_argument(name, type=type(default), default=default)
    parser.add_argument("--pretrained", action="store_true")
    main(parser.parse_args())
