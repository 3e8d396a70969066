"""Removes the checkpoints that the config does not want to keep once the search has ended."""

import argparse
from pathlib import Path

from dlutil_core.common.files import read_json, write_text
from dlutil_core.job import script
from dlutil_core.search.pruning import prune


def main(arguments: argparse.Namespace) -> None:
    freed = prune(
        arguments.trials, arguments.leaderboard, read_json(arguments.plan), arguments.keep
    )
    write_text(arguments.out, f"keep_checkpoints: {arguments.keep}; {freed} bytes freed\n")


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--trials", type=Path, required=True, help="folder of the trials' memos")
    parser.add_argument("--leaderboard", type=Path, required=True, help="best/leaderboard.csv")
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--keep", choices=["survivors", "best"], required=True)
    parser.add_argument("--out", type=Path, required=True, help="a note of what was done")
    script.run_step(main, parser.parse_args())
