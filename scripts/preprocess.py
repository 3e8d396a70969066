"""Raw files to HDF5: the `preprocess` section of the config, into a data folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.definition.opened_files import OpenedFiles
from dlutil_core.job import script
from dlutil_core.job.step import Made
from dlutil_core.preprocess.pipeline import preprocess


def main(arguments: argparse.Namespace) -> Made:
    opened = OpenedFiles()
    opened.start()
    preprocess(arguments.section, arguments.data, arguments.seed, arguments.later)
    return Made(tuple(opened.reads(HashMemory())))


if __name__ == "__main__":
    parser = script.parser(__doc__ or "")
    parser.add_argument(
        "--section", type=json.loads, required=True, help="the preprocess section as JSON"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the HDF5 files")
    parser.add_argument("--seed", type=int, default=1, help="the run's seed")
    parser.add_argument("--later", type=Path, help="encode as this encoding.json says")
    script.run_step(main, parser.parse_args())
