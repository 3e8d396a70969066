"""Trains the trials that fill some slots of a rung, to the rung's epochs."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.search.plan import Plan
    from dlutil_core.search.rung_jobs import train_slots
    from dlutil_core.search.staged.earlier import Earlier

    first, end = arguments.slots
    plan = Plan.read(arguments.plan)
    reads = train_slots(
        LoadedRun(run_spec_of(arguments)),
        plan=plan,
        bracket=arguments.bracket,
        rung=arguments.rung,
        slots=range(first, end),
        ranking=arguments.ranking,
        workers=max(1, arguments.cores // arguments.threads_per_trial),
        out=arguments.out,
        earlier=Earlier.read(plan, arguments.bracket, arguments.plan.parent.parent),
    )
    return Made(reads)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--bracket", type=int, required=True)
    parser.add_argument("--rung", type=int, required=True)
    parser.add_argument(
        "--slots", type=int, nargs=2, required=True, metavar=("FIRST", "END"), help="without END"
    )
    parser.add_argument("--ranking", type=Path, help="ranking of the rung before")
    parser.add_argument("--cores", type=int, default=1, help="cores to train trials on")
    parser.add_argument("--out", type=Path, required=True, help="results of the slots, JSON")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
