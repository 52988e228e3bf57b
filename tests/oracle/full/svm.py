"""Support vector machines by scikit-learn's SVC(kernel="linear", class_weight="balanced"), for
tests/oracle/svm.rs: 216 problems in seven families, with n 8 to 2000, d 2 to 1024 and up to 200
right examples for a wrong one (or wrong for a right one).

    .venv-oracle/bin/python tests/oracle/full/svm.py CASE FOLDER

A case writes `problems.safetensors` (for problem i: `x.i` [n, d], unit rows; `w.i` [fits, d]) and
`problems.json` (a digit an example: right and fold; penalties, intercepts, objectives, scores,
choices).

The numbers that hang on rounding are left out, for nothing can agree on them: a cross-validation
score where an optimal b of a fold is not unique, or where a decision value is next to zero; and the
uniqueness of b where the optimal interval is neither a point nor clearly none (`unsure`); a choice
of C between scores that are the same fraction but not the same float64.
"""

import json
import pathlib
import warnings

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold
from sklearn.svm import SVC

from common import main, save_tensors

GRID = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
# Beyond the grid: fewer multipliers are at their bounds there. Fitted, not cross-validated.
LARGER = [10.0]
# SVC's default is 1e-3; the comparison should measure our error, not its.
TOLERANCE = 1e-8
# Narrower intervals of b are a point; wider ones than WIDE are certainly none.
NARROW, WIDE = 1e-5, 1e-3
# libsvm keeps the kernel as float32, which moves b where multipliers are in the hundreds.
ROUNDING = 1e-4


def svc(c):
    return SVC(kernel="linear", class_weight="balanced", C=c, tol=TOLERANCE, cache_size=1000)


def rows(rng, n, d, repeat):
    """Noise of a falling spectrum, mixed, repeated, whitened (divisor n - 1), of unit length."""
    distinct = -(-n // repeat)
    spectrum = np.arange(1, d + 1) ** -rng.uniform(0.0, 1.0)
    x = (rng.standard_normal((distinct, d)) * spectrum) @ rng.standard_normal((d, d))
    x = np.repeat(x, repeat, axis=0)[:n]
    x = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    # What is stored is float32; both sides compute in float64 from there.
    return x.astype(np.float32).astype(np.float64)


def label(rng, x, wrong, kind):
    """Right (1) or wrong (0): wrong along a planted direction, some exchanged, or at random."""
    n, d = x.shape
    planted = rng.standard_normal(n) if kind == "random" else x @ rng.standard_normal(d)
    right = np.ones(n, dtype=int)
    right[np.argsort(planted, kind="stable")[:wrong]] = 0
    if kind == "noisy":
        # As many of each, so that the counts stay.
        k = max(1, min(wrong, n - wrong) // 4)
        exchanged = [rng.choice(np.flatnonzero(right == one), size=k, replace=False) for one in (0, 1)]
        for which in exchanged:
            right[which] = 1 - right[which]
    return right


def interval(model, x, right, c):
    """All optimal intercepts for the weights of a fitted model, as (low, high): where
    sum_i C_i max(0, 1 - t_i (f_i + b)) is least."""
    t = np.where(right == 1, 1.0, -1.0)
    bound = c * len(t) / (2.0 * np.where(t > 0, (t > 0).sum(), (t < 0).sum()))
    f = x @ model.coef_[0]
    # The slope at minus infinity, in units of C n / 2, and how every breakpoint raises it.
    order = np.argsort(t - f, kind="stable")
    breaks = (t - f)[order]
    slope = -1.0 + np.cumsum(bound[order]) / (c * len(t) / 2.0)
    low = breaks[np.flatnonzero(slope >= -1e-9)[0]]
    high = breaks[np.flatnonzero(slope > 1e-9)[0]]
    return float(low), float(high)


def fold_score(x, right, train, test, c):
    """Balanced accuracy on a fold; None where b, or a sign, hangs on rounding."""
    model = svc(c).fit(x[train], right[train])
    low, high = interval(model, x[train], right[train], c)
    values = model.decision_function(x[test])
    if high - low > NARROW or np.abs(values).min() < 1e-5:
        return None
    return balanced_accuracy_score(right[test], (values > 0).astype(int))


def solve(x, right):
    fold_of = np.zeros(len(right), dtype=int)
    for fold, (_, test) in enumerate(StratifiedKFold(2).split(x, right)):
        fold_of[test] = fold
    fits, weights, agreed = [], [], []
    for c in GRID + LARGER:
        model = svc(c).fit(x, right)
        w, b = model.coef_[0], float(model.intercept_[0])
        low, high = interval(model, x, right, c)
        assert low - ROUNDING <= b <= high + ROUNDING, (c, low, b, high)
        width = high - low
        folds = [fold_score(x, right, fold_of != f, fold_of == f, c) for f in range(2)]
        score = None if c not in GRID or None in folds else float(np.mean(folds))
        if score is not None:
            agreed.append(c)
        fits.append({
            "c": c,
            "b": [b, b] if width <= NARROW else [low, high],
            "unsure": bool(NARROW < width < WIDE),
            "objective": float(0.5 * w @ w - np.abs(model.dual_coef_).sum()),
            "score": score,
        })
        weights.append(w)
    # The choice among the C whose scores do not hang on rounding, by scikit-learn's own search.
    chosen = None
    if agreed:
        search = GridSearchCV(svc(1.0), {"C": agreed}, scoring="balanced_accuracy",
                              cv=PredefinedSplit(fold_of)).fit(x, right)
        means = search.cv_results_["mean_test_score"]
        equal = means[means > means.max() - 1e-12]
        chosen = search.best_params_["C"] if (equal == means.max()).all() else None
    digits = {"right": "".join(map(str, right)), "folds": "".join(map(str, fold_of))}
    return np.array(weights), digits | {"fits": fits, "chosen": chosen}


KINDS = ("planted", "noisy", "random")


def tiny():
    for n in (8, 9, 10, 12, 14, 16):
        for d in (2, 3, 8):
            for kind in KINDS[:2]:
                yield n, d, max(2, n // (2 + d % 3)), kind, 1


def separable():
    for n in (20, 50, 120, 300, 700):
        for d in (2, 8, 32, 96):
            for share in (2, 5):
                yield n, d, n // share, "planted", 1


def inseparable():
    for n in (40, 80, 150, 400, 800):
        for d in (2, 5, 12):
            for kind in KINDS[1:]:
                yield n, d, n // (2 + d % 4), kind, 1


def imbalanced():
    for ratio, wrong in ((30, 2), (50, 2), (50, 12), (100, 4), (100, 19), (200, 2), (200, 9)):
        for d in (3, 24, 192):
            for kind in KINDS[:2]:
                yield wrong * (ratio + 1), d, wrong, kind, 1


def duplicated():
    """Repeated rows, which "noisy" and "random" also call right and wrong at once."""
    for n, repeat in ((24, 2), (60, 3), (150, 5), (400, 8)):
        for d in (2, 5, 12):
            for kind in KINDS:
                yield n, d, n // 3, kind, repeat


def long():
    for n in (1000, 1400, 2000):
        for d in (2, 16, 48):
            for share in (2, 10):
                yield n, d, n // share, KINDS[(n // 200 + d + share) % 3], 1


def wide():
    for d in (256, 512, 768, 1024):
        for n in (8, 40, 300):
            yield n, d, max(2, n // 8), KINDS[(n + d // 256) % 2], 1
    for kind in KINDS[:2]:
        yield 2000, 1024, 200, kind, 1


FAMILIES = [tiny, separable, inseparable, imbalanced, duplicated, long, wide]


def case(family):
    def write(folder):
        warnings.filterwarnings("ignore")
        tensors, texts = {}, []
        for i, (n, d, wrong, kind, repeat) in enumerate(family()):
            rng = np.random.default_rng([FAMILIES.index(family), i])
            x = rows(rng, n, d, repeat)
            right = label(rng, x, wrong, kind)
            # In half of the problems the right are few.
            right = right if rng.random() < 0.5 else 1 - right
            weights, text = solve(x, right)
            tensors |= {f"x.{i}": torch.from_numpy(x), f"w.{i}": torch.from_numpy(weights)}
            texts.append(text | {"name": f"{i}: {wrong} of {n}, {d} dimensions, {kind}, {repeat}"})
        save_tensors(folder / "problems.safetensors", **tensors)
        (pathlib.Path(folder) / "problems.json").write_text(json.dumps(texts))

    return write


if __name__ == "__main__":
    main({family.__name__: case(family) for family in FAMILIES})
