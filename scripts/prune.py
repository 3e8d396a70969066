"""Removes the checkpoints that the config does not want to keep once the search has ended."""

import argparse
from pathlib import Path

from dlutil_core.common.files import write_text
from dlutil_core.job import script
from dlutil_core.search.leaderboard import read_standings
from dlutil_core.search.plan import Plan
from dlutil_core.search.winner import prune


def main(arguments: argparse.Namespace) -> None:
    standings = read_standings(arguments.leaderboard)
    max_epochs = Plan.read(arguments.plan).max_epochs
    freed = prune(arguments.trials, standings, max_epochs, arguments.keep)
    write_text(arguments.out, f"keep_checkpoints: {arguments.keep}; {freed} bytes freed\n")


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--trials", type=Path, required=True, help="folder of the trials' memos")
    parser.add_argument("--leaderboard", type=Path, required=True, help="best/leaderboard.csv")
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--keep", choices=["survivors", "best"], required=True)
    parser.add_argument("--out", type=Path, required=True, help="a note of what was done")
    script.run_step(main, parser.parse_args())
