"""Puts a file that Snakemake fetched from a storage where the run looks for it."""

import argparse
import shutil
from pathlib import Path

from dlutil_core.common.files import atomic_path
from dlutil_core.job import script


def main(arguments: argparse.Namespace) -> None:
    with atomic_path(arguments.out) as temporary:
        shutil.copyfile(arguments.file, temporary)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--file", type=Path, required=True, help="the fetched file")
    parser.add_argument("--out", type=Path, required=True, help="its place")
    script.run_step(main, parser.parse_args())
