"""Plans a search: brackets and rungs, and every trial's configuration and seed."""

import argparse
import json
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.search.sampling import write_plan

    reads = write_plan(
        run_spec_of(arguments),
        method=arguments.method,
        max_epochs=arguments.max_epochs,
        eta=arguments.eta,
        config=arguments.config,
        start=arguments.start,
        sampler=arguments.sampler,
        out=arguments.out,
    )
    return Made(reads)


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--method", choices=["hyperband", "staged", "fixed"], default="hyperband")
    parser.add_argument("--max-epochs", type=int, required=True)
    parser.add_argument("--eta", type=int, default=3)
    parser.add_argument("--config", type=json.loads, default={}, help="of method fixed, as JSON")
    parser.add_argument("--start", type=json.loads, default=[], help="known ones, as JSON")
    parser.add_argument("--sampler", choices=["model", "random"], help="of method staged")
    parser.add_argument("--out", type=Path, required=True, help="plan.json")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
