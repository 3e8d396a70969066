"""Picks the best model of all brackets."""

import argparse
from pathlib import Path

from dlutil_core import script
from dlutil_core.digest import read_digests
from dlutil_core.files import read_json, sha256_file, write_json
from dlutil_core.provenance import training_provenance
from dlutil_core.run_arguments import add_run_arguments, session_spec
from dlutil_core.selection import select_best


def main(arguments: argparse.Namespace) -> None:
    plan = read_json(arguments.plan)
    winner = select_best(plan, arguments.brackets, arguments.out)
    provenance = training_provenance(
        session_spec(arguments),
        plan,
        plan_sha256=sha256_file(arguments.plan),
        data=read_digests(arguments.digests),
    )
    write_json(arguments.out / "provenance.json", provenance)
    script.log.info("best: trial %s, score %s", winner["trial"], winner["score"])


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--brackets", type=Path, nargs="+", required=True, help="their folders")
    parser.add_argument("--out", type=Path, required=True, help="the folder best")
    script.run(main, parser.parse_args())
