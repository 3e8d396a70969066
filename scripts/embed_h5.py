"""Sequences and labels to HDF5: `embed_h5.py infile labelfile outfile`, needs no workflow."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# The repository, instead of this folder, whose names would hide the standard library's.
if not sys.flags.safe_path:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from dlutil_core.job import script
from dlutil_core.preprocess.embed import Embedding, embed


def main(arguments: argparse.Namespace) -> None:
    given = {key: value for key, value in vars(arguments).items() if key not in ("log", "request")}
    embed(Embedding(**given | {"isseq": arguments.isseq == "Y"}))


if __name__ == "__main__":
    parser = script.parser(__doc__ or "")
    add = parser.add_argument
    add("infile", help="FASTA or TSV (a name and a sequence a line), known by its content")
    add("labelfile", nargs="?", default="", help="labels, a line for each record; may be left out")
    add("outfile", type=Path, help="HDF5 file; with batches, outfile.batch1 and so on")
    add("-m", "--mapper", default="", help="TSV of a letter and its vector a line (default: ACGT)")
    add("-i", "--infile2", default="", help="the second sequence of each record, in the same order")
    add("-b", "--batch", type=int, default=5000, help="records a file (5000); 0 writes one file")
    add("-l", "--labelname", default="label", help="name of the dataset of labels (label)")
    add("-d", "--dataname", default="data", help="name of the dataset of sequences (data)")
    add("-s", "--isseq", choices=["Y", "N"], default="Y", help="N: infile holds numbers")
    add("--ambiguous", choices=["error", "zero", "iupac"], default="error", help="other letters")
    script.run(main, parser.parse_args())
