"""Trains the trial that fills one slot of a rung, to the rung's epochs."""

import argparse
from pathlib import Path

from dlutil_core import script
from dlutil_core.files import read_json
from dlutil_core.run_arguments import add_run_arguments, session_spec
from dlutil_core.session import Session
from dlutil_core.slots import train_slot


def main(arguments: argparse.Namespace) -> None:
    train_slot(
        Session(session_spec(arguments)),
        plan=read_json(arguments.plan),
        bracket=arguments.bracket,
        rung=arguments.rung,
        slot=arguments.slot,
        ranking=arguments.ranking,
        out=arguments.out,
    )


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--bracket", type=int, required=True)
    parser.add_argument("--rung", type=int, required=True)
    parser.add_argument("--slot", type=int, required=True)
    parser.add_argument("--ranking", type=Path, help="ranking of the rung before")
    parser.add_argument("--out", type=Path, required=True, help="the slot's result, JSON")
    script.run(main, parser.parse_args())
