"""Hashes every result file into MANIFEST.sha256."""

import argparse

from dlutil_core.common.hashes import write_manifest
from dlutil_core.job import script


def main(arguments: argparse.Namespace) -> None:
    write_manifest(arguments.result, arguments.files, arguments.out)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    parser.add_argument("--result", required=True, help="the result folder")
    parser.add_argument("--files", nargs="+", required=True, help="paths relative to it")
    parser.add_argument("--out", required=True)
    script.run_step(main, parser.parse_args())
