"""Ranks the slots of a rung: which trials are promoted."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.search.plan import Plan
from dlutil_core.search.rung_jobs import rank_rung
from dlutil_core.search.staged.earlier import Earlier


def main(arguments: argparse.Namespace) -> None:
    plan, bracket = Plan.read(arguments.plan), arguments.bracket
    earlier = Earlier.read(plan, bracket, arguments.plan.parent.parent)
    rank_rung(plan, bracket, arguments.rung, arguments.slots, arguments.out, earlier)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--bracket", type=int, required=True)
    parser.add_argument("--rung", type=int, required=True)
    parser.add_argument("--slots", type=Path, nargs="+", required=True, help="results of the slots")
    parser.add_argument("--out", type=Path, required=True, help="the ranking, JSON")
    script.run_step(main, parser.parse_args())
