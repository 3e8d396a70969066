"""Picks the best model of all brackets."""

import argparse
import json
from pathlib import Path

from dlutil_core.common.files import format_field, write_json, write_text
from dlutil_core.common.hashes import sha256_file
from dlutil_core.common.logs import log
from dlutil_core.common.result_folder import BEST_ENCODING, BEST_PROVENANCE
from dlutil_core.job import script
from dlutil_core.job.step import Made
from dlutil_core.preprocess.kept_encoding import encoding_of
from dlutil_core.run.arguments import add_run_arguments, run_spec_of
from dlutil_core.search.plan import Plan
from dlutil_core.search.winner import select_best
from dlutil_core.trained.kept_files import ENTRY, keep_definition
from dlutil_core.trained.provenance import read_beside, training_data, training_provenance


def main(arguments: argparse.Namespace) -> Made:
    plan = Plan.read(arguments.plan)
    result = arguments.out.parent
    winner = select_best(plan, arguments.brackets, result)
    spec = run_spec_of(arguments)
    steps = [folder.name for folder in arguments.brackets]
    provenance = training_provenance(
        spec,
        plan.settings,
        plan_sha256=sha256_file(arguments.plan),
        data=training_data(result, steps),
    )
    write_json(result / BEST_PROVENANCE, provenance)
    encoding = encoding_of(arguments.section, arguments.encoding)
    write_text(result / BEST_ENCODING, encoding.text())
    source = arguments.out / "definition"
    names = keep_definition(Path(spec.definition), source, read_beside(result, steps, spec))
    log.info("best: trial %s, score %s", winner.trial, format_field(winner.score))
    kept = [result / BEST_ENCODING, *(source / name for name in [*names, ENTRY])]
    return Made(files=tuple(kept))


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--brackets", type=Path, nargs="+", required=True, help="their folders")
    parser.add_argument("--section", type=json.loads, default={}, help="preprocess, as JSON")
    parser.add_argument("--encoding", type=Path, default=Path(), help="what it wrote of it")
    parser.add_argument("--out", type=Path, required=True, help="the folder best")
    script.run_step(main, parser.parse_args())
