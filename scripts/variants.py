"""Predicts each allele of a VCF file, beside the reference, with the best model or all members."""

import argparse
from pathlib import Path

from dlutil_core.job import script
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.step import Made
from dlutil_core.run.arguments import add_run_arguments, run_spec_of


def main(arguments: argparse.Namespace) -> Made:
    from dlutil_core.variants.effects import predict_variants

    loaded = LoadedRun(run_spec_of(arguments))
    with loaded.on_device():
        predict_variants(loaded, arguments.model, arguments.vcf, arguments.genome, arguments.out)
    return Made(loaded.reads())


if __name__ == "__main__":
    parser = script.parser(__doc__)
    add_run_arguments(parser)
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True, help="best/model.pt, or members'"
    )
    parser.add_argument("--vcf", required=True, help="the VCF file")
    parser.add_argument("--genome", required=True, help="the FASTA file of its genome")
    parser.add_argument("--out", type=Path, required=True, help="the table, .tsv")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
