"""Fits a linear model to the same split, and tests it."""

import argparse
from dataclasses import replace
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.trained.baseline import fit_baseline

    loaded = LoadedRun(replace(run_spec_of(arguments), device="cpu"))
    return Made(fit_baseline(loaded, arguments.out, arguments.kmer, arguments.label_name))


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--kmer", type=int, help="letters of the words that are counted")
    parser.add_argument("--label-name", action="append", default=[], help="of a column of labels")
    parser.add_argument("--out", type=Path, required=True, help="the folder baseline")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
