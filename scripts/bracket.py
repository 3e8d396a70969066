"""Runs one bracket of a search: trains its trials rung by rung and promotes the best."""

import argparse
from pathlib import Path

from dlutil_core import script
from dlutil_core.bracket import run_bracket
from dlutil_core.files import read_json
from dlutil_core.run_arguments import add_run_arguments, session_spec
from dlutil_core.session import Session


def main(arguments: argparse.Namespace) -> None:
    run_bracket(
        Session(session_spec(arguments)),
        plan=read_json(arguments.plan),
        bracket=arguments.bracket,
        workers=max(1, arguments.cores // arguments.threads_per_trial),
        folder=arguments.out,
    )


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--bracket", type=int, required=True)
    parser.add_argument("--cores", type=int, default=1, help="cores to train trials on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bracket's results")
    script.run(main, parser.parse_args())
