"""Tests the best model on held-out data."""

import argparse
from pathlib import Path

from dlutil_core.common.files import write_json
from dlutil_core.common.hashes import read_digests, sha256_file
from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.run.arguments import add_run_arguments, run_spec_of
from dlutil_core.trained.evaluate import evaluate_best
from dlutil_core.trained.provenance import test_provenance


def main(arguments: argparse.Namespace) -> None:
    spec = run_spec_of(arguments)
    loaded = LoadedRun(spec)
    with loaded.on_device():
        evaluate_best(loaded, arguments.model, arguments.out)
    provenance = test_provenance(
        spec, sha256_file(arguments.model), read_digests(arguments.digests)
    )
    write_json(arguments.out / "provenance.json", provenance)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="best/model.pt")
    parser.add_argument("--out", type=Path, required=True, help="the folder test")
    script.run(main, parser.parse_args())
