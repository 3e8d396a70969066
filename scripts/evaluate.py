"""Tests the best model on held-out data."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.trained.evaluate import evaluate_best

    loaded = LoadedRun(run_spec_of(arguments))
    with loaded.on_device():
        return Made(evaluate_best(loaded, arguments.model, arguments.out, arguments.label_name))


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="best/model.pt")
    parser.add_argument("--out", type=Path, required=True, help="the folder test")
    parser.add_argument("--label-name", action="append", default=[], help="of a column of labels")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
