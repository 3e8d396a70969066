"""Effects of variants: alleles a second and peak memory, beside a loop of one's own.

    python benchmarks/variants.py [--quick] [--alleles 100000] [--rounds 3] [--seconds 300]

A small network of windows of 200 letters is trained first. Then whole processes run in turn, round
by round: dlutil's job (table, annotated file, index, every REF checked) and a loop by hand over
pysam's records that encodes and predicts batches and writes a table of substitutions, with neither
statuses nor an annotated file. `dlutil tenth` has a tenth of the alleles: memory must not grow with
their number.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
from preprocess import Way

HERE = Path(__file__).resolve()
WIDTH = 200
LENGTH = 10_000_000
BATCH = 128

DEFINITION = """
import os
from torch import nn, optim
from dlutil_core import base_model, batch_generator


def get_train_generator(data_dir, batch_size):
    path = os.path.join(data_dir, "train.h5")
    return batch_generator.H5pyBatchGenerator(path, batch_size=batch_size, shuffle=True)


def get_val_generator(data_dir):
    return batch_generator.H5pyBatchGenerator(os.path.join(data_dir, "valid.h5"))


def get_pred_generator(pred_path):
    return batch_generator.H5pyBatchGenerator(pred_path, labels=False)


class Model(base_model.ClassificationModel):
    def init_model(self):
        features = base_model.MotifScan(64, width=15)
        network = base_model.ConvClassificationNetwork(features, nn.Linear(64, 2))
        super().init_model(network, optim.Adam(network.parameters(), lr=0.003))
"""

CONFIG = """
definition: def.py
data: data
result: out
device: cpu
evaluate: false
search: {method: fixed, max_epochs: 1, config: {lr: 0.003}, jobs: bracket}
preprocess:
  positives: train.fa
  negatives: shuffle
  split: {by: fraction, valid: 0.2}
"""


def write_input(folder: str, alleles: str) -> None:
    """A genome of one chromosome, substitutions at places of it in their order, a training set."""
    import numpy as np

    rng, count = np.random.default_rng(1), int(alleles)
    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, LENGTH)]
    rows = b"\n".join(row.tobytes() for row in letters.reshape(-1, 100))
    Path(folder, "genome.fa").write_bytes(b">chr1\n" + rows + b"\n")
    whole = letters.tobytes()
    starts = range(0, 1000 * WIDTH, WIDTH)
    records = (b">r%d\n%s\n" % (k, whole[k : k + WIDTH]) for k in starts)
    Path(folder, "train.fa").write_bytes(b"".join(records))
    for name, number in (("all", count), ("tenth", max(1, count // 10))):
        places = np.sort(rng.choice(np.arange(WIDTH, LENGTH - WIDTH), number, replace=False))
        with Path(folder, f"{name}.vcf").open("wb") as file:
            file.write(b"##fileformat=VCFv4.3\n##contig=<ID=chr1,length=%d>\n" % LENGTH)
            file.write(b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
            for place in places.tolist():
                reference = whole[place : place + 1]
                alternative = b"CAGT"[b"ACTG".index(reference)]
                line = (place + 1, reference, bytes([alternative]))
                file.write(b"chr1\t%d\t.\t%s\t%s\t.\t.\t.\n" % line)


def by_hand(vcf: str, out: str) -> None:
    """Substitutions alone: pysam's records and letters, batches by numpy, the network by torch."""
    import numpy as np
    import pysam
    import torch

    import dlutil_core

    torch.set_num_threads(1)
    network = dlutil_core.load(Path(vcf).parent / "out").network.eval()
    codes = np.full(256, 4, np.uint8)
    codes[np.frombuffer(b"ACGT", np.uint8)] = range(4)
    rows = np.concatenate([np.eye(4, dtype=np.float32), np.zeros((1, 4), np.float32)])

    def predicted(windows: list[str]) -> list[float]:
        joined = np.frombuffer("".join(windows).encode(), np.uint8).reshape(len(windows), -1)
        batch = torch.from_numpy(rows[codes[joined]].transpose(0, 2, 1)[:, :, None].copy())
        with torch.inference_mode():
            found: list[float] = network(batch)["y_pred"].tolist()
        return found

    genome = pysam.FastaFile(str(Path(vcf).with_name("genome.fa")))
    with pysam.VariantFile(vcf) as file, open(out, "w") as table:
        held: list[tuple[str, int, str, str]] = []
        windows: list[str] = []

        def write() -> None:
            found = predicted(windows)
            pairs = zip(held, found[0::2], found[1::2], strict=True)
            for (chromosome, place, reference, alternative), one, other in pairs:
                fields = (chromosome, place, reference, alternative, one, other, other - one)
                table.write("\t".join(map(str, fields)) + "\n")
            held.clear()
            windows.clear()

        for record in file:
            start = record.pos - 1 - WIDTH // 2
            letters = genome.fetch(record.chrom, start, start + WIDTH)
            for alternative in record.alts or ():
                held.append((record.chrom, record.pos, record.ref or "", alternative))
                middle = WIDTH // 2
                windows += [letters, letters[:middle] + alternative + letters[middle + 1 :]]
            if len(windows) >= BATCH:
                write()
        if held:
            write()


def trained(folder: Path) -> None:
    """A result to predict with."""
    (folder / "def.py").write_text(DEFINITION)
    (folder / "config.yaml").write_text(CONFIG)
    snakefile = str(harness.ROOT / "workflow" / "Snakefile")
    command = [sys.executable, "-m", "snakemake", "--quiet", "all", "--snakefile", snakefile]
    command += ["--configfile", "config.yaml", "--cores", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])


def own(name: str, folder: Path, vcf: str, alleles: int) -> Way:
    """dlutil's job."""
    out = folder / f"{name.replace(' ', '-')}.tsv"
    command = [sys.executable, "-P", str(harness.ROOT / "scripts" / "variants.py")]
    command += ["--definition", "def.py", "--data", "data", "--result", "out", "--seed", "1"]
    command += ["--device", "cpu", "--stage", "predict", "--model", "out/best/model.pt"]
    command += ["--vcf", vcf, "--genome", "genome.fa", "--out", str(out)]
    return Way(name, command, alleles, out)


def main() -> None:
    harness.use_repository()
    parser = harness.parser(__doc__, rounds=3, seconds=300)
    parser.add_argument("--alleles", type=int, default=100_000)
    parser.add_argument("--contestant", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        name, first, second = arguments.contestant
        {"input": write_input, "by hand": by_hand}[name](first, second)
        return
    harness.print_versions("torch", "numpy", "pysam", "h5py")
    os.environ["DLUTIL_RESIDENT"] = "off"
    alleles = min(arguments.alleles, 5000) if arguments.quick else arguments.alleles
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as name:
        folder = Path(name)
        command = [sys.executable, str(HERE), "--contestant"]
        subprocess.run([*command, "input", name, str(alleles)], check=True)
        trained(folder)
        os.chdir(folder)
        mine = own("dlutil", folder, "all.vcf", alleles)
        hand = Way("by hand", [*command, "by hand", f"{name}/all.vcf", "hand.tsv"], alleles, folder)
        few = own("dlutil tenth", folder, "tenth.vcf", max(1, alleles // 10))
        running = [mine, hand]
        everyone = [one.contestant() for one in running]
        rounds = harness.race(everyone, arguments.rounds, arguments.seconds, warm_up=False)
        few.run()
        print(f"\n{alleles:,} alleles, windows of {WIDTH} letters, {rounds} rounds")
        harness.print_speeds(everyone, everyone[0], "alleles/s")
        rows = [("contestant", "alleles", "peak MiB")]
        rows += [(one.name, f"{one.records:,}", f"{one.peak:.0f}") for one in [*running, few]]
        print()
        harness.print_table(rows)
        print()
        ratios = harness.speed_ratios(everyone[0], everyone[1])
        harness.goal("dlutil's speed, times a loop by hand", ratios, 0.5, at_least=True)
        harness.goal("dlutil's peak memory, MiB", [mine.peak], 1024, at_least=False)
        os.chdir(harness.ROOT)


if __name__ == "__main__":
    main()
