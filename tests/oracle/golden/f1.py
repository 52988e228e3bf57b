"""Golden thresholds for src/dataset/score.rs: the highest F1 over scikit-learn's precision_recall_curve.

    .venv-oracle/bin/python tests/oracle/golden/f1.py

Made with scikit-learn 1.9.0. F1 is computed from the curve's precision and recall; of thresholds whose
F1 is equal within 1e-12 the smallest counts. Scores are float32.
"""

import json
import pathlib

import numpy as np
from sklearn.metrics import f1_score, precision_recall_curve

GOLDEN = pathlib.Path(__file__).parents[2] / "golden" / "f1.json"


def main():
    rng = np.random.default_rng(20261124)
    rows = []
    for case in range(24):
        n = int(rng.integers(2, 40))
        labels = rng.integers(0, 2, n)
        labels[0] = 1
        scores = np.clip(rng.normal(0.3 + 0.2 * labels, 0.2), 0, 1).astype(np.float32)
        if case % 3 == 0:
            scores = scores.round(1).astype(np.float32)  # ties
        if case % 5 == 0:
            scores = np.float32(8) * scores - np.float32(4)  # logits
        precision, recall, thresholds = precision_recall_curve(labels, scores)
        with np.errstate(invalid="ignore"):
            f1 = np.nan_to_num(2 * precision * recall / (precision + recall))[:-1]
        best = int(np.flatnonzero(f1 >= f1.max() - 1e-12)[0])
        threshold = float(thresholds[best])
        assert abs(f1_score(labels, scores >= threshold) - f1[best]) < 1e-12
        rows.append({"labels": labels.tolist(), "scores": [float(s) for s in scores],
                     "threshold": threshold, "f1": float(f1[best])})
    GOLDEN.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")


if __name__ == "__main__":
    main()
