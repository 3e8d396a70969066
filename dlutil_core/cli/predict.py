"""`dlutil predict`: files in, tables out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import sentence_of


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("predict", help="predict files with the trained model")
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT_DIR")
    add("files", nargs="+", metavar="FILE", help="FASTA, BED, a table, .npy or HDF5")
    add("-o", "--out", type=Path, metavar="TSV", help="default: FILE.predictions.tsv")
    add("--genome", metavar="FASTA", help="for BED; default: the one that the run used")
    add("--paired", metavar="FILE", help="the second sequences, for a model of pairs")
    add("--device", default="auto", choices=["auto", "cpu", "cuda"])
    add("--definition", help="a def.py instead of the one that the results keep")
    add("--member", metavar="MEMBER", help="fold-K/seed-I alone, or best (default: mean of all)")
    parser.set_defaults(function=_predict)


def _predict(arguments: argparse.Namespace) -> None:
    from dlutil_core.trained.new_files import predict_files

    try:
        tables = predict_files(
            arguments.result,
            arguments.files,
            arguments.out,
            genome=arguments.genome,
            paired=arguments.paired,
            device=arguments.device,
            definition=arguments.definition,
            member=arguments.member,
        )
    except OSError as error:
        raise UserError(sentence_of(error, "the table")) from error
    for table in tables:
        print(f"The predictions are in {table}")
