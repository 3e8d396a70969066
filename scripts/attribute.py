"""Explains the best model, or all members: attributions, motifs of its first filters, logos."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.explain.explaining import Options, explain

    options = Options(
        data=arguments.set,
        motifs=arguments.motifs,
        examples=arguments.examples,
        sequences=arguments.sequences,
        output=arguments.output,
    )
    loaded = LoadedRun(run_spec_of(arguments))
    with loaded.on_device():
        explain(loaded, arguments.model, options, arguments.out)
    return Made(loaded.reads())


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True, help="best/model.pt, or members'"
    )
    parser.add_argument("--set", default="test", choices=["test", "valid"], help="whose sequences")
    parser.add_argument("--motifs", help="known motifs, MEME or JASPAR format")
    parser.add_argument("--examples", type=int, default=6, help="sequences to draw and mutate")
    parser.add_argument("--sequences", type=int, default=500, help="sequences to attribute")
    parser.add_argument("--output", type=int, help="which of several outputs, from 0")
    parser.add_argument("--out", type=Path, required=True, help="the folder explain")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
