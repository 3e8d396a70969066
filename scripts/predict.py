"""Predicts one file with the best model, or with all members."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.trained.predict import predict_file

    loaded = LoadedRun(run_spec_of(arguments))
    with loaded.on_device():
        predict_file(loaded, arguments.model, arguments.subpath, arguments.out)
    return Made(loaded.reads())


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True, help="best/model.pt, or members'"
    )
    parser.add_argument("--subpath", required=True, help="the file, below the data folder")
    parser.add_argument("--out", type=Path, required=True, help="the predictions, .npy")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
