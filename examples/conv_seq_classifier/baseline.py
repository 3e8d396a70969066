"""A logistic regression on 5-mer counts, on the same split as the network.

    python examples/conv_seq_classifier/baseline.py results/conv_seq_classifier

Prints its test AUROC beside the network's. Regularised by the validation set.
"""

import json
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (the files are compressed with its filters)
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

K = 5


def kmer_counts(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Counts `(N, 4**K)` of each k-mer in the sequences of a file, and labels `(N,)`."""
    with h5py.File(path, "r") as file:
        one_hot, labels = file["data"][:, :, 0, :], file["label"][:, 0]
    letters = one_hot.argmax(axis=1)
    words = sum(letters[:, k : letters.shape[1] - K + 1 + k] * 4 ** (K - 1 - k) for k in range(K))
    counts = np.stack([np.bincount(row, minlength=4**K) for row in words])
    return counts.astype(float), labels


def baseline_auroc(data: Path) -> float:
    """Test AUROC of the regression whose strength of regularisation validates best."""
    (x, y), (x_val, y_val), (x_test, y_test) = (
        kmer_counts(data / f"{name}.h5") for name in ("train", "valid", "test")
    )
    fitted = [LogisticRegression(C=c, max_iter=2000).fit(x, y) for c in (0.001, 0.01, 0.1, 1.0)]
    best = max(fitted, key=lambda model: roc_auc_score(y_val, model.decision_function(x_val)))
    return float(roc_auc_score(y_test, best.decision_function(x_test)))


if __name__ == "__main__":
    result = Path(sys.argv[1])
    network = json.loads((result / "test" / "metrics.json").read_text())["auroc"]
    print(
        f"Test AUROC: {network:.3f}, and {baseline_auroc(result / 'data'):.3f} of a logistic "
        f"regression on {K}-mer counts"
    )
