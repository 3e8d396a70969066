"""Chooses the configurations that a stage of a staged search tries."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.search.staged.proposals import propose


def main(arguments: argparse.Namespace) -> None:
    propose(arguments.plan, arguments.draws, arguments.stage, arguments.out)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--draws", type=Path, required=True, help="draws.json, beside it")
    parser.add_argument("--stage", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="trials.json of the stage")
    script.run_step(main, parser.parse_args())
