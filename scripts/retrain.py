"""Trains a sample of a finished search again, and tells what is not as the result says."""

import argparse
from dataclasses import asdict
from pathlib import Path

from dlutil_core.common.files import write_json
from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.run.arguments import add_run_arguments, run_spec_of
from dlutil_core.verify.retraining import Retraining


def main(arguments: argparse.Namespace) -> None:
    loaded = LoadedRun(run_spec_of(arguments))
    retraining = Retraining(loaded, arguments.of, arguments.scratch)
    workers = max(1, arguments.cores // arguments.threads_per_trial)
    with loaded.on_device():
        found = retraining.retrained(arguments.share, arguments.choice, workers)
    write_json(arguments.out, asdict(found))


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--of", type=Path, required=True, help="the result folder that is verified")
    parser.add_argument("--scratch", type=Path, required=True, help="an empty folder")
    parser.add_argument("--share", type=float, required=True, help="of the segments")
    parser.add_argument("--choice", type=int, help="seed of the sample")
    parser.add_argument("--cores", type=int, default=1, help="cores to train on")
    parser.add_argument("--out", type=Path, required=True, help="what was found, JSON")
    script.run(main, parser.parse_args())
