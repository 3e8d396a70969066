"""Hashes one data file, so that its content decides what runs again."""

import argparse

from dlutil_core.common.hashes import write_digest
from dlutil_core.job import script


def main(arguments: argparse.Namespace) -> None:
    write_digest(arguments.file, arguments.name, arguments.out)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--file", required=True)
    parser.add_argument("--name", required=True, help="its path below the data folder")
    parser.add_argument("--out", required=True)
    script.run(main, parser.parse_args())
