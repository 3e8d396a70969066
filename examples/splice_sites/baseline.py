"""The network beside the paper's models and ridge regressions on the same split, in bits.

    python examples/splice_sites/baseline.py results/splice_sites

Prints a table: the information on the test set between log10 PSI and what is predicted.
"""

import itertools
import json
import runpy
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

HERE = Path(__file__).resolve().parent
DEFINITION = runpy.run_path(str(HERE / "def.py"))


def additive(one_hot: np.ndarray) -> np.ndarray:
    """Which letter stands at each position: `(N, 36)` of `(N, 9, 4)`."""
    return one_hot.reshape(len(one_hot), -1)


def pairwise(one_hot: np.ndarray) -> np.ndarray:
    """`additive`, and which letters stand at each two positions: `(N, 36 + 576)`."""
    pairs = itertools.combinations(range(one_hot.shape[1]), 2)
    products = [one_hot[:, i, :, None] * one_hot[:, j, None, :] for i, j in pairs]
    return np.concatenate([additive(one_hot), *map(additive, products)], axis=1)


def ridge_bits(terms, data: Path) -> float:
    """Test information of the ridge regression on `terms` whose penalty validates best."""
    (x, y), (x_val, y_val), (x_test, y_test) = (
        (terms(one_hot), y)
        for one_hot, y in (
            DEFINITION["read"](data, name) for name in ("training", "validation", "test")
        )
    )
    fitted = [Ridge(penalty).fit(x, y) for penalty in (0.1, 1.0, 10.0, 100.0)]
    best = min(fitted, key=lambda model: np.mean((model.predict(x_val) - y_val) ** 2))
    return DEFINITION["bits"](y_test, best.predict(x_test))


def table(result: Path) -> str:
    """Markdown: ours beside the paper's."""
    ours = json.loads((result / "members" / "summary.json").read_text())["bits"]
    low, high = ours["interval"]
    network = f"{ours['mean']:.3f} (95 % interval {low:.3f} to {high:.3f})"
    data = HERE / "raw_data"
    return f"""\
| information on the test set, bits | here | Tareen et al. 2022 |
| --- | --- | --- |
| additive | {ridge_bits(additive, data):.3f} (ridge regression) | 0.238 |
| neighbouring pairs | | 0.345 |
| all pairs | {ridge_bits(pairwise, data):.3f} (ridge regression) | 0.362 |
| network, mean of three seeds | {network} | 0.459 ± 0.016 |
| their mean predictions | {ours["ensemble"]:.3f} | |"""


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
