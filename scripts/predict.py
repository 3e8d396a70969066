"""Predicts one file with the best model."""

import argparse
from pathlib import Path

from dlutil_core import script
from dlutil_core.prediction import predict_file
from dlutil_core.run_arguments import add_run_arguments, session_spec
from dlutil_core.session import Session


def main(arguments: argparse.Namespace) -> None:
    session = Session(session_spec(arguments))
    with session.on_device():
        predict_file(session, arguments.model, arguments.subpath, arguments.out)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="best/model.pt")
    parser.add_argument("--subpath", required=True, help="the file, below the data folder")
    parser.add_argument("--out", type=Path, required=True, help="the predictions, .npy")
    script.run(main, parser.parse_args())
