"""Trains the first stages of a staged search, one after the other."""

import argparse
from pathlib import Path

from dlutil_core.job import resident, script
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> None:
    from dlutil_core.search.staged.opening import run_opening

    workers = max(1, arguments.cores // arguments.threads_per_trial)
    spec = run_spec_of(arguments)
    run_opening(spec, arguments.step, arguments.plan, arguments.draws, workers)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--step", type=Path, action="append", required=True, help="as --request")
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--draws", type=Path, required=True, help="draws.json, beside it")
    parser.add_argument("--cores", type=int, default=1, help="cores to train trials on")
    arguments = parser.parse_args()
    resident.hand_over(arguments.measured)
    script.run(main, arguments)
