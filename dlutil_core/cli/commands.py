"""The command `dlutil`: init, run, plan, watch, export, compare, predict, verify."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from dlutil_core.cli import compare, predict, verify
from dlutil_core.cli.start import init
from dlutil_core.common.errors import UserError
from dlutil_core.common.shown_text import shown
from dlutil_core.common.version import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["run"]:
        from dlutil_core.cli import run

        return run.main(words[1:], program="dlutil run")
    chosen = _parser().parse_args(words)
    try:
        return int(chosen.function(chosen) or 0)
    except UserError as error:
        print(f"error: {shown(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dlutil", description=__doc__)
    parser.add_argument("--version", action="version", version=f"dlutil {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    init.add_parser(commands)
    commands.add_parser("run", help="search, test and predict (dlutil run --help)", add_help=False)
    plan = commands.add_parser("plan", help="print brackets, rungs, trials and epochs of a config")
    plan.add_argument("config", type=Path, metavar="CONFIG", help="a config.yaml")
    plan.add_argument("--hours", type=float, metavar="H", help="print the search that fits")
    plan.add_argument("--cores", type=int, metavar="N", help="for --hours: cores (all)")
    plan.set_defaults(function=_plan)
    watch = commands.add_parser("watch", help="a live view of a search")
    watch.add_argument("result", type=Path, metavar="RESULT_DIR")
    watch.set_defaults(function=_watch)
    export = commands.add_parser("export", help="the trained model as a self-contained folder")
    export.add_argument("result", type=Path, metavar="RESULT_DIR")
    export.add_argument("-o", "--out", type=Path, help="default: RESULT_DIR/export")
    export.add_argument("--definition", help="a def.py instead of the one that the results keep")
    export.add_argument("--member", help="fold-K/seed-I alone, or best (default: all members)")
    export.set_defaults(function=_export)
    compare.add_parser(commands)
    predict.add_parser(commands)
    verify.add_parser(commands)
    place = commands.add_parser("workflow", help="print the folder of the Snakefile and profiles")
    place.set_defaults(function=_workflow)
    return parser


def _plan(arguments: argparse.Namespace) -> None:
    from dlutil_core.cli.plan_text import plan_text
    from dlutil_core.run.config import read_config

    config = read_config(arguments.config)
    if arguments.hours is not None:
        from dlutil_core.cli.plan_hours import hours_text
        from dlutil_core.common.logs import start_logging

        start_logging(None)
        cores = len(os.sched_getaffinity(0)) if arguments.cores is None else arguments.cores
        print(hours_text(config, arguments.hours, cores))
        return
    if arguments.cores is not None:
        raise UserError("--cores is for --hours; give both")
    print(plan_text(config, Path(str(config.get("result", "results")))))


def _watch(arguments: argparse.Namespace) -> int:
    from dlutil_core.watch.live import main as watch

    return int(watch(arguments.result))


def _workflow(arguments: argparse.Namespace) -> None:
    from dlutil_core.run.config import workflow_folder

    print(workflow_folder())


def _export(arguments: argparse.Namespace) -> None:
    from dlutil_core.export.exporting import export

    out = arguments.out or arguments.result / "export"
    export(arguments.result, out, arguments.definition, arguments.member)
    print(f"The model is in {out}/")
