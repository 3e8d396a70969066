"""Writes report.html, and the pictures of the search, from result files."""

import argparse
import json
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.report.collect import collect
from dlutil_core.report.page import write_report


def main(arguments: argparse.Namespace) -> None:
    results = collect(
        arguments.result,
        arguments.statistics,
        json.loads(arguments.preprocess),
        tested=arguments.tested,
        explained=arguments.explained,
        title=arguments.title,
        baseline=arguments.baseline,
        repeated=arguments.repeated,
    )
    write_report(results, arguments.result)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--result", type=Path, required=True, help="the result folder")
    parser.add_argument(
        "--statistics", type=Path, nargs="*", default=[], help="statistics of the data sets"
    )
    parser.add_argument(
        "--preprocess", default="{}", help="how the data were made, as JSON; shown as it is"
    )
    parser.add_argument("--title", default="", help="what the report is called")
    parser.add_argument("--tested", action="store_true", help="tell what test/ holds")
    parser.add_argument("--baseline", action="store_true", help="tell what baseline/ holds")
    parser.add_argument("--repeated", action="store_true", help="tell what members/ holds")
    parser.add_argument("--explained", action="store_true", help="tell what explain/ holds")
    script.run_step(main, parser.parse_args())
