"""FASTA to one-hot HDF5 with labels: records a second and peak memory, beside other ways.

    python benchmarks/preprocess.py [--quick] [--records 400000] [--rounds 5] [--seconds 200]

Every contestant is a whole process; they run in turn, round by round. The peers dnaio and seqpro
are optional. The dictionary encoder is slow and gets a tenth of the records.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import harness

HERE = Path(__file__).resolve()
LENGTH = 101
DICTIONARY_SHARE = 10
MIB = 2**20
INSIDE = "seconds after imports:"


@dataclass
class Way:
    """A way to do the task: its command, and what is noted beside its time."""

    name: str
    command: list[str]
    records: int
    out: Path
    peak: float = 0.0
    inside: list[float | None] = field(default_factory=list)

    def run(self) -> None:
        """Once; notes the largest peak memory (MiB) and the seconds that the process tells of."""
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(self.command, stdout=said, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            text = said.read().decode(errors="replace")
        if process.returncode:
            raise SystemExit(f"{self.name}: {text[-2000:]}")
        found = text.partition(INSIDE)[2].split()
        self.peak = max(self.peak, usage.ru_maxrss / 1024)
        self.inside.append(float(found[0]) if found else None)

    def contestant(self) -> harness.Contestant:
        """Its part in the race."""
        return harness.Contestant(self.name, self.run, self.records)


def make_input(path: Path, records: int) -> None:
    """Random 101-bp records with two columns of targets.

    In a process of its own: a child's peak memory counts its parent's at the start, so that this
    process must stay small.
    """
    command = [sys.executable, str(HERE), "--contestant", "input", str(path), str(records)]
    subprocess.run(command, check=True)


def write_input(name: str, records: str) -> None:
    """Write the FASTA file and its targets, block by block."""
    import numpy as np

    path, total = Path(name), int(records)
    generator = np.random.default_rng(1)
    letters = np.frombuffer(b"ACGT", np.uint8)
    with path.open("wb") as fasta, path.with_suffix(".target").open("wb") as targets:
        for start in range(0, total, 50_000):
            count = min(50_000, total - start)
            rows = letters[generator.integers(0, 4, (count, LENGTH))]
            labels = generator.integers(0, 2, count).tolist()
            fasta.write(
                b"".join(
                    b">chr%d:%d-%d\n%s\n" % (i % 22 + 1, 200 * i, 200 * i + LENGTH, row.tobytes())
                    for i, row in enumerate(rows, start)
                )
            )
            targets.write(b"".join(b"%d\t%d\n" % (1 - label, label) for label in labels))


def dictionary(fasta: str, out: str) -> None:
    """The 2018 way: a dictionary lookup for each letter, nested lists, gzip level 1."""
    import h5py
    import numpy as np

    mapper = {"A": [1, 0, 0, 0], "C": [0, 1, 0, 0], "G": [0, 0, 1, 0], "T": [0, 0, 0, 1]}
    mapper["N"] = [0, 0, 0, 0]
    batch = 5000

    def embedded(sequence: list[str]) -> np.ndarray:
        return np.asarray([mapper[c] if c in mapper else np.random.rand(4) for c in sequence])

    def write(data: list, labels: list, number: int) -> None:
        arrays = [[[row] for row in embedded(sequence).T] for sequence in data]
        with h5py.File(f"{out}.batch{number}", "w") as file:
            options = {"compression": "gzip", "compression_opts": 1}
            file.create_dataset("data", data=np.asarray(arrays), **options)
            file.create_dataset("label", data=np.asarray(labels), **options)

    data, labels, number = [], [], 0
    with open(fasta) as sequences, open(fasta.replace(".fa", ".target")) as targets:
        for header, sequence, target in zip(sequences, sequences, targets, strict=False):
            assert header[0] == ">"
            data.append(list(sequence.strip()))
            labels.append([float(x) for x in target.split()])
            if len(data) == batch:
                number += 1
                write(data, labels, number)
                data, labels = [], []
    if data:
        write(data, labels, number + 1)


def peer(fasta: str, out: str) -> None:
    """The same file by dnaio (reading), seqpro (one-hot) and h5py (blosc-lz4, bitshuffle)."""
    import dnaio
    import h5py
    import hdf5plugin
    import numpy as np
    import seqpro

    begin = time.perf_counter()
    blosc = hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE)
    batch = 8192
    labels = np.loadtxt(fasta.replace(".fa", ".target"), dtype=np.uint8, ndmin=2)
    with h5py.File(out, "w") as file, dnaio.open(fasta) as reader:
        shape = (len(labels), 4, 1, LENGTH)
        data = file.create_dataset("data", shape, "u1", chunks=(1024, *shape[1:]), **blosc)
        file.create_dataset("label", data=labels, chunks=(4096, labels.shape[1]), **blosc)
        names: list[str] = []
        held: list[bytes] = []
        start = 0

        def write() -> None:
            letters = np.frombuffer(b"".join(held), "S1").reshape(len(held), -1)
            onehot = seqpro.DNA.ohe(letters)
            data[start : start + len(held)] = onehot.transpose(0, 2, 1)[:, :, None, :]

        for record in reader:
            names.append(record.name)
            held.append(record.sequence.upper().encode())
            if len(held) == batch:
                write()
                start += len(held)
                held = []
        if held:
            write()
        file.create_dataset("name", data=np.array(names, "S"), chunks=(4096,), **blosc)
    print(INSIDE, time.perf_counter() - begin)


def copy(folder: Path, fasta: Path, records: int) -> Way:
    """The floor: copy the input and write as many bytes as the uncompressed arrays have."""
    out = folder / "copy.h5"
    size = records * (4 * LENGTH + 2)
    text = f'cp "$1" "$2.fa" && head -c {size} /dev/zero > "$2"'
    return Way("copy", ["sh", "-c", text, "sh", str(fasta), str(out)], records, out)


def own(name: str, folder: Path, fasta: Path, records: int) -> Way:
    """dlutil's script on one training set."""
    targets = fasta.parent / f"records-{records}.target"
    section = {"train": {"sequences": str(fasta), "targets": str(targets)}}
    data = folder / name.replace(" ", "-")
    command = [sys.executable, "-P", str(harness.ROOT / "scripts" / "preprocess.py")]
    command += ["--section", json.dumps(section), "--data", str(data)]
    return Way(name, command, records, data / "train.h5")


def ways(folder: Path, fasta: Path, records: int, peers: list[str]) -> list[Way]:
    """Who takes part; the dictionary encoder gets a tenth of the records, for it is slow."""
    few = folder / f"records-{max(1, records // DICTIONARY_SHARE)}.fa"
    make_input(few, int(few.stem.removeprefix("records-")))
    packed = folder / "packed" / f"records-{records}.fa.gz"
    packed.parent.mkdir()
    with fasta.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, MIB)
    shutil.copyfile(fasta.with_suffix(".target"), packed.parent / f"records-{records}.target")

    def other(name: str, path: Path, count: int) -> Way:
        out = folder / f"{name}.h5"
        command = [sys.executable, str(HERE), "--contestant", name, str(path), str(out)]
        return Way(name, command, count, out)

    few_records = int(few.stem.removeprefix("records-"))
    made = [own("dlutil", folder, fasta, records), own("dlutil gzip", folder, packed, records)]
    made.append(other("dictionary", few, few_records))
    if len(peers) == 2:
        made.append(other("dnaio, seqpro", fasta, records))
    made.append(copy(folder, fasta, records))
    return made


def compare(everyone: dict[str, harness.Contestant], told: dict[str, Way]) -> None:
    """The ratios within each round that the goals are about."""
    mine = everyone["dlutil"]
    for name, bound in {"dictionary": 25.0, "dnaio, seqpro": 1.5}.items():
        if name in everyone:
            faster = harness.speed_ratios(mine, everyone[name])
            harness.goal(f"dlutil's speed, times {name}", faster, bound, at_least=True)
    if "dnaio, seqpro" in told:
        inside = told["dnaio, seqpro"].inside[-len(mine.wall) :]
        quicker = harness.spread(harness.ratios(inside, mine.wall), 1)
        print(f"dlutil's speed, imports included, times dnaio, seqpro without theirs: {quicker}")
    slower = harness.ratios(mine.wall, everyone["copy"].wall)
    harness.goal("dlutil's time, times copy", slower, 6, at_least=False)
    peak = max(one.peak for name, one in told.items() if name.startswith("dlutil"))
    harness.goal("dlutil's largest peak memory, MiB", [peak], 150, at_least=False)


def main() -> None:
    harness.use_repository()
    parser = harness.parser(__doc__, rounds=5, seconds=200)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--contestant", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        name, fasta, out = arguments.contestant
        {"input": write_input, "dictionary": dictionary, "dnaio, seqpro": peer}[name](fasta, out)
        return
    harness.print_versions("numpy", "h5py", "hdf5plugin", "dnaio", "seqpro")
    peers = harness.installed("dnaio", "seqpro")
    records, rounds = arguments.records, 2 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as name:
        folder = Path(name)
        fasta = folder / f"records-{records}.fa"
        make_input(fasta, records)
        running = ways(folder, fasta, records, peers)
        everyone = [one.contestant() for one in running]
        rounds = harness.race(everyone, rounds, arguments.seconds, warm_up=not arguments.quick)
        print(f"\n{records:,} records of {LENGTH} bp, {rounds} rounds")
        harness.print_speeds(everyone, everyone[0], "records/s")
        if not arguments.quick:
            large = folder / f"records-{10 * records}.fa"
            make_input(large, 10 * records)
            running.append(own("dlutil tenfold", folder, large, 10 * records))
            running[-1].run()
        rows = [("contestant", "records", "peak MiB", "file MB")]
        for one in running:
            size = f"{one.out.stat().st_size / 1e6:.1f}" if one.out.exists() else "-"
            rows.append((one.name, f"{one.records:,}", f"{one.peak:.0f}", size))
        print()
        harness.print_table(rows)
        print()
        compare({one.name: one for one in everyone}, {one.name: one for one in running})


if __name__ == "__main__":
    main()
