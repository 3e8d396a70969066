"""Tests the best model on held-out data."""

import argparse
from pathlib import Path

from dlutil_core import script
from dlutil_core.digest import read_digests
from dlutil_core.evaluation import evaluate_best
from dlutil_core.files import sha256_file, write_json
from dlutil_core.provenance import test_provenance
from dlutil_core.run_arguments import add_run_arguments, session_spec
from dlutil_core.session import Session


def main(arguments: argparse.Namespace) -> None:
    spec = session_spec(arguments)
    session = Session(spec)
    with session.on_device():
        evaluate_best(session, arguments.model, arguments.out)
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
