"""Tells what all members show together: means, spreads, and the test of their mean predictions."""

import argparse
from dataclasses import replace
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.members.out_of_fold import write_out_of_fold
    from dlutil_core.members.repeat import Member
    from dlutil_core.members.summary import summarise

    loaded = LoadedRun(replace(run_spec_of(arguments), device="cpu"))
    members = [Member.named(name) for name in arguments.members]
    result = Path(arguments.result)
    summarise(result, members, loaded if arguments.tested else None)
    if arguments.folded:
        write_out_of_fold(loaded, result, members, dict(enumerate(arguments.tested_file)))
    return Made(loaded.reads() if arguments.tested else ())


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--tested", action="store_true", help="whether members were tested")
    parser.add_argument("--folded", action="store_true", help="whether there are folds")
    add = parser.add_argument
    add("--tested-file", type=Path, action="append", default=[], help="of each fold, where known")
    parser.add_argument("--members", nargs="+", required=True, help="fold-{k}/seed-{i} of each")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
