"""Golden support vector machines for tests/library/svm.rs, by scikit-learn's SVC.

    .venv-oracle/bin/python tests/oracle/golden/svm.py

Writes tests/golden/svm.json. The rows of a problem are not stored: tests/library/svm.rs makes the same bits
from the seed, by the same operations in the same order (`rows` below; only + - * / and sqrt, which
IEEE 754 rounds in one way). A checksum of the bits is stored. Made with scikit-learn 1.9.0,
NumPy 2.4.6.

`marks` says of every row in one digit whether it is right (2) and its fold (1). w is stored for the
largest C, and where its direction is not the one stored last; other numbers have as many digits as
the tests look at.

b is optimal where sum_i C_i max(0, 1 - t_i (f_i + b)) is least, which may be an interval; its ends
are stored as `b`. Cross-validation scores are compared only where b is unique in both folds.
"""

import json
import math
import pathlib
import struct
import warnings

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold
from sklearn.svm import SVC

GRID = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
# Beyond the grid: fewer multipliers are at their bounds there. Fitted, not cross-validated.
LARGER = [10.0]
# SVC's default is 1e-3; the tests should measure our error, not its. `solve` checks that it hardly
# matters.
TOLERANCE = 1e-9
# Narrower intervals of b are a point; wider ones than WIDE are certainly none.
NARROW, WIDE = 1e-5, 1e-3
MASK = (1 << 64) - 1


def uniform(state):
    """Knuth's MMIX generator; the upper 24 bits as a number in -1..1, exactly."""
    state = (state * 6364136223846793005 + 1442695040888963407) & MASK
    return state, (state >> 40) / 8388608.0 - 1.0


def rows(problem):
    """n x d: noise, mixed, repeated, whitened (divisor n - 1) and of unit length."""
    n, d = problem["n"], problem["d"]
    state, x = problem["seed"], []
    for i in range(n):
        if i % problem["repeat"] != 0:
            x.append(list(x[-1]))
            continue
        row = []
        for _ in range(d):
            total = 0.0
            for _ in range(4):
                state, value = uniform(state)
                total += value
            row.append(total)
        for j in range(1, d):
            row[j] += problem["mix"] * row[j - 1]
        x.append(row)
    for j in range(d):
        mean = 0.0
        for row in x:
            mean += row[j]
        mean /= n
        squares = 0.0
        for row in x:
            squares += (row[j] - mean) * (row[j] - mean)
        deviation = math.sqrt(squares / (n - 1))
        for row in x:
            row[j] = (row[j] - mean) / deviation
    for row in x:
        squares = 0.0
        for value in row:
            squares += value * value
        norm = math.sqrt(squares)
        for j in range(d):
            row[j] /= norm
    return x


def checksum(x):
    """FNV-1a over the bits of the numbers."""
    total = 0xCBF29CE484222325
    for row in x:
        for value in row:
            (bits,) = struct.unpack("<Q", struct.pack("<d", value))
            total = ((total ^ bits) * 0x100000001B3) & MASK
    return f"{total:016x}"


def label(problem, x):
    """Right (1) or wrong (0): wrong along a planted direction, some flipped, or at random."""
    rng = np.random.default_rng(problem["seed"])
    n, d = problem["n"], problem["d"]
    wrong = problem["wrong"]
    planted = x @ rng.standard_normal(d) if problem["kind"] != "random" else rng.standard_normal(n)
    right = np.ones(n, dtype=int)
    right[np.argsort(planted, kind="stable")[:wrong]] = 0
    if problem["kind"] == "noisy":
        # As many of each are exchanged, so that the counts stay.
        k = max(1, min(wrong, n - wrong) // 4)
        for kind in (0, 1):
            of = np.flatnonzero(right == kind)
            right[rng.choice(of, size=min(k, len(of)), replace=False)] = 2 + kind
        right = np.where(right >= 2, 3 - right, right)
    return right


def svc(c, **more):
    return SVC(kernel="linear", class_weight="balanced", C=c, **({"tol": TOLERANCE} | more))


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def interval(model, x, right, c):
    """All optimal intercepts for the weights of a fitted model, as (low, high)."""
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


def between(x, right):
    """A C at which b is not unique although not every multiplier is at its upper bound.

    Such are found only where there are as many right as wrong; in the others all are at it.
    """
    if 2 * right.sum() != len(right):
        return []
    for c in (float(f"{c:.3g}") for c in np.geomspace(1e-3, 10.0, 81)):
        model = svc(c).fit(x, right)
        low, high = interval(model, x, right, c)
        if high - low > WIDE and len(model.support_) < len(right):
            return [c]
    return []


def fold_score(x, right, train, test, c):
    """Balanced accuracy on a fold; None where b, or a sign, hangs on rounding."""
    model = svc(c).fit(x[train], right[train])
    low, high = interval(model, x[train], right[train], c)
    values = model.decision_function(x[test])
    if high - low > NARROW or np.abs(values).min() < 1e-5:
        return None
    return balanced_accuracy_score(right[test], (values > 0).astype(int))


def solve(problem):
    x = rows(problem)
    out = problem | {"checksum": checksum(x)}
    x = np.array(x)
    right = label(problem, x)
    assert right.sum() == problem["n"] - problem["wrong"]
    split = StratifiedKFold(2)
    fold_of = np.zeros(problem["n"], dtype=int)
    for fold, (_, test) in enumerate(split.split(x, right)):
        fold_of[test] = fold
    out["marks"] = "".join(map(str, 2 * right + fold_of))
    out["fits"], unique, last = [], [], None
    grid = sorted(GRID + LARGER + between(x, right))
    for c in grid:
        model = svc(c).fit(x, right)
        low, high = interval(model, x, right, c)
        width = high - low
        assert not NARROW < width < WIDE, (problem, c, width)
        b = float(model.intercept_[0])
        assert low - NARROW <= b <= high + NARROW, (problem, c, low, b, high)
        w = model.coef_[0]
        assert cosine(w, svc(c, tol=1e-3).fit(x, right).coef_[0]) > 0.9999
        objective = 0.5 * w @ w - np.abs(model.dual_coef_).sum()
        folds = [fold_score(x, right, fold_of != f, fold_of == f, c) for f in range(2)]
        folds = folds if c in GRID else [None]
        score = None if None in folds else float(np.mean(folds))
        if score is not None:
            unique.append(c)
        fit = {
            "c": c,
            "b": [rounded(low, 7), rounded(high, 7)] if width > NARROW else rounded(b, 7),
            "objective": rounded(objective, 7),
        }
        fit |= {} if score is None else {"score": rounded(score, 15)}
        if last is None or cosine(w, last) < 1 - 1e-9 or c == grid[-1]:
            fit["w"], last = [rounded(value, 5) for value in w], w
        out["fits"].append(fit)
    # The choice among the C whose scores do not hang on rounding, by scikit-learn's own search.
    out["chosen"] = None
    if unique:
        search = GridSearchCV(svc(1.0), {"C": unique}, scoring="balanced_accuracy",
                              cv=PredefinedSplit(fold_of)).fit(x, right)
        out["chosen"] = search.best_params_["C"]
    return out


def rounded(value, digits):
    return float(f"{value:.{digits}g}")


def problems():
    """Two kinds of every size."""
    # (n, d, wrong): from 8 to 300 examples, from even to 1 wrong in 51.
    sizes = [
        (8, 2, 2), (8, 5, 4), (9, 3, 3), (10, 8, 2), (14, 5, 7), (12, 16, 5), (16, 4, 8), (20, 2, 6), (24, 32, 3),
        (30, 10, 10), (40, 48, 4), (51, 6, 2), (60, 3, 30), (80, 12, 12), (102, 5, 2), (120, 24, 8),
        (150, 8, 50), (204, 4, 4), (255, 16, 5), (300, 6, 6), (300, 20, 90),
    ]
    seed, out = 0, []
    for n, d, wrong in sizes:
        kinds = ["planted", "noisy", "random"]
        del kinds[len(out) // 2 % 3]
        for kind in kinds:
            seed += 1
            # Repeated rows may be right and wrong at once; a small d leaves no rank to repeat with.
            repeat = 1 + seed % 3 if n >= 5 * d else 1
            mix = (0.0, 0.5, 2.0)[seed % 3]
            out.append({"seed": seed, "n": n, "d": d, "wrong": wrong, "kind": kind, "repeat": repeat, "mix": mix})
    return out


def main():
    warnings.filterwarnings("ignore")
    out = [solve(problem) for problem in problems()]
    path = pathlib.Path(__file__).parents[2] / "golden" / "svm.json"
    lines = ",\n".join(json.dumps(problem, separators=(",", ":")) for problem in out)
    path.write_text(f"[\n{lines}\n]\n")
    fits = [fit for problem in out for fit in problem["fits"]]
    print(f"{len(out)} problems, {len(fits)} fits, {sum(isinstance(f['b'], float) for f in fits)} with"
          f" unique b, {sum('score' in f for f in fits)} scores,"
          f" {sum(p['chosen'] is not None for p in out)} choices, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
