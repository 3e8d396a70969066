"""Draws how the best model does on the test set, with confidence intervals."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.report.performance import draw_performance


def main(arguments: argparse.Namespace) -> None:
    draw_performance(arguments.outputs, arguments.out)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--outputs", type=Path, required=True, help="test/outputs.npz")
    parser.add_argument("--out", type=Path, required=True, help="the folder test")
    script.run_step(main, parser.parse_args())
