"""`dlutil verify`: whether a result is what it says, computed again by sample."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the parser of `dlutil`."""
    parser = commands.add_parser(
        "verify", help="compute a result again, its search by sample, and compare every byte"
    )
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT_DIR")
    add("--share", type=float, default=0.05, help="of the search, 0 to 1 (default: 0.05)")
    add("--data", type=Path, metavar="DATA_DIR", help="data instead of those that the config names")
    add("--cores", type=int, default=os.cpu_count() or 1, help="default: all of this machine")
    add("--seed", type=int, help="of the sample (default: another one each time)")
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was compared; the exit code is 1 where anything is different."""
    from dlutil_core.common.shown_text import shown
    from dlutil_core.common.wording import counted
    from dlutil_core.verify.verifying import verify

    found = verify(
        arguments.result,
        share=arguments.share,
        data=arguments.data,
        cores=max(1, arguments.cores),
        seed=arguments.seed,
        say=lambda text: print(text, flush=True),
    )
    for text in found.differences:
        print(f"different: {shown(text)}")
    share = 100 * found.sampled_epochs / max(1, found.epochs)
    print(
        f"\n{counted(found.files, 'result file')} made again from the data, the definition and the "
        f"trials;\n{found.sampled} of {counted(found.segments, 'segment')} of the search trained "
        f"again ({found.sampled_epochs} of {counted(found.epochs, 'epoch')}, {share:.3g} %)"
    )
    if found.differences:
        print(f"NOT verified: {counted(len(found.differences), 'difference')}")
        return 1
    print(
        "verified: every byte is equal; a trial that is false in one segment would have been "
        f"missed with a probability of {found.chance_missed:.3g}"
    )
    return 0
