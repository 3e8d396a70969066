"""A linear regression on the same table as the network.

    python examples/function_regressor/baseline.py results/function_regressor

Prints its mean squared error and Pearson's correlation on the test set beside the network's.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression


def baseline(data: Path) -> tuple[float, float]:
    """Mean squared error and Pearson's correlation on the test set."""
    x, y, x_test, y_test = (
        pd.read_csv(data / f"{name}.csv").to_numpy()
        for name in ("X_train", "y_train", "X_test", "y_test")
    )
    predicted = LinearRegression().fit(x, y[:, 0]).predict(x_test)
    error = float(np.mean((predicted - y_test[:, 0]) ** 2))
    return error, float(np.corrcoef(predicted, y_test[:, 0])[0, 1])


if __name__ == "__main__":
    result = Path(sys.argv[1])
    network = json.loads((result / "test" / "metrics.json").read_text())
    error, correlation = baseline(result / "data")
    print(
        f"Test MSE {network['mse']:.2f} and Pearson {network['pearson']:.3f}; a linear regression "
        f"has {error:.2f} and {correlation:.3f} (the noise alone makes an MSE of 1)"
    )
