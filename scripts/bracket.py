"""Runs one bracket of a search: trains its trials rung by rung and promotes the best."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.search.bracket import run_bracket
    from dlutil_core.search.plan import Plan

    reads = run_bracket(
        LoadedRun(run_spec_of(arguments)),
        plan=Plan.read(arguments.plan),
        bracket=arguments.bracket,
        workers=max(1, arguments.cores // arguments.threads_per_trial),
        folder=arguments.out,
    )
    return Made(reads)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--bracket", type=int, required=True)
    parser.add_argument("--cores", type=int, default=1, help="cores to train trials on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bracket's results")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
