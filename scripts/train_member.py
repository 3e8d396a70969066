"""Trains a member: the picked configuration, from another seed or on another fold."""

import argparse
from pathlib import Path

from dlutil_core.common.result_folder import BEST_LEADERBOARD, PLAN
from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.members.repeat import Member
    from dlutil_core.members.training import keep_best_model, train_member
    from dlutil_core.search.plan import Plan

    member = Member(arguments.fold, arguments.member)
    result = Path(arguments.result)
    if member.is_best_model:
        keep_best_model(result, arguments.out)
        return Made()
    loaded = LoadedRun(run_spec_of(arguments))
    plan = Plan.read(result / PLAN)
    return Made(train_member(loaded, plan, result / BEST_LEADERBOARD, member, arguments.out))


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--fold", type=int, required=True, help="which split, from 0")
    parser.add_argument("--member", type=int, required=True, help="which seed, from 0")
    parser.add_argument("--out", type=Path, required=True, help="the member's folder")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
