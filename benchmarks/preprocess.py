"""FASTA to one-hot HDF5 with labels: records a second and peak memory, beside other ways.

    python benchmarks/preprocess.py [--quick] [--records 400000] [--rounds 5] [--peer-python PATH]

Every contestant is a whole process; they run in turn, round by round, so that a busy machine slows
all of them alike. Ratios are taken within a round; the table shows their median, smallest and
largest. The peers dnaio and seqpro are optional and may live in another interpreter.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parent.parent
LENGTH = 101
DICTIONARY_SHARE = 10
MIB = 2**20
INSIDE = "seconds after imports:"


@dataclass
class Contestant:
    """A way to do the task, its command and what was measured."""

    name: str
    command: list[str]
    records: int
    wall: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    out: Path | None = None

    def run(self) -> None:
        """Run once; note seconds and peak memory (MiB) of the process and its children."""
        start = time.perf_counter()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(self.command, stdout=said, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                raise SystemExit(f"{self.name}: {said.read().decode(errors='replace')[-2000:]}")
            said.seek(0)
            inside = said.read().decode(errors="replace").partition(INSIDE)[2].split()
        self.wall.append(time.perf_counter() - start)
        self.peak.append(usage.ru_maxrss / 1024)
        self.processor.append(usage.ru_utime + usage.ru_stime)
        self.inside.append(float(inside[0]) if inside else self.wall[-1])

    def rates(self) -> list[float]:
        """Records a second in each round."""
        return [self.records / wall for wall in self.wall]


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


def copy(folder: Path, fasta: Path, records: int) -> Contestant:
    """The floor: copy the input and write as many bytes as the uncompressed arrays have."""
    out = folder / "copy.h5"
    size = records * (4 * LENGTH + 2)
    text = f'cp "$1" "$2.fa" && head -c {size} /dev/zero > "$2"'
    return Contestant("copy", ["sh", "-c", text, "sh", str(fasta), str(out)], records, out=out)


def own(name: str, folder: Path, fasta: Path, records: int) -> Contestant:
    """dlutil's script on one training set."""
    targets = fasta.parent / f"records-{records}.target"
    section = {"train": {"sequences": str(fasta), "targets": str(targets)}}
    data = folder / name.replace(" ", "-")
    command = [sys.executable, "-P", str(ROOT / "scripts" / "preprocess.py")]
    command += ["--section", json.dumps(section), "--data", str(data)]
    return Contestant(name, command, records, out=data / "train.h5")


def contestants(
    folder: Path, fasta: Path, records: int, peer_python: str | None
) -> list[Contestant]:
    """Who takes part; the dictionary encoder gets a tenth of the records, for it is slow."""
    few = folder / f"records-{max(1, records // DICTIONARY_SHARE)}.fa"
    make_input(few, int(few.stem.removeprefix("records-")))
    packed = folder / "packed" / f"records-{records}.fa.gz"
    packed.parent.mkdir()
    with fasta.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, MIB)
    shutil.copyfile(fasta.with_suffix(".target"), packed.parent / f"records-{records}.target")

    def other(name: str, python: str, path: Path, count: int) -> Contestant:
        out = folder / f"{name}.h5"
        command = [python, str(HERE), "--contestant", name, str(path), str(out)]
        return Contestant(name, command, count, out=out)

    few_records = int(few.stem.removeprefix("records-"))
    made = [own("dlutil", folder, fasta, records), own("dlutil gzip", folder, packed, records)]
    made.append(other("dictionary", sys.executable, few, few_records))
    if peer_python:
        made.append(other("peer", peer_python, fasta, records))
    made.append(copy(folder, fasta, records))
    return made


def find_peer(python: str) -> str | None:
    """The interpreter if it has the peers; says which are missing otherwise."""
    probe = (
        "import importlib.util as u; print([m for m in ('dnaio','seqpro') if not u.find_spec(m)])"
    )
    said = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True).stdout
    missing = [name for name in ("dnaio", "seqpro") if name in said]
    if missing:
        print(
            f"peer: {' and '.join(missing)} missing from {Path(python).name}; install them or use"
            " --peer-python"
        )
        return None
    return python


def spread(values: list[float], digits: int = 0) -> str:
    """`median (smallest … largest)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} … {high:,.{digits}f})"


def ratios(above: list[float], below: list[float], scale: float) -> str:
    """The spread of the ratios of two contestants' seconds in the same rounds."""
    return spread([scale * a / b for a, b in zip(above, below, strict=True)], 1)


def report(all_of: list[Contestant]) -> None:
    """Print the table, and the ratios within each round that the goals are about."""
    rows = [("contestant", "records", "seconds", "records/s", "peak MiB", "file MB")]
    for one in all_of:
        size = f"{one.out.stat().st_size / 1e6:.1f}" if one.out and one.out.exists() else "-"
        peak = f"{max(one.peak):.0f}"
        rows.append(
            (one.name, f"{one.records:,}", spread(one.wall, 2), spread(one.rates()), peak, size)
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    named = {one.name: one for one in all_of}
    mine = named["dlutil"]
    for name, goal in {"dictionary": 25, "peer": 1.5}.items():
        if name in named:
            other = named[name]
            scale = mine.records / other.records
            print(
                f"dlutil is faster than {name}: {ratios(other.wall, mine.wall, scale)} times"
                f" (goal: at least {goal}); by processor seconds"
                f" {ratios(other.processor, mine.processor, scale)} times"
            )
    if "peer" in named:
        quicker = ratios(named["peer"].inside, mine.wall, 1)
        print(f"dlutil, whole, is faster than peer after its imports: {quicker} times")
    print(f"dlutil takes {ratios(mine.wall, named['copy'].wall, 1)} times copy (goal: at most 6)")
    peak = max(max(one.peak) for one in all_of if one.name.startswith("dlutil"))
    print(f"dlutil, largest peak memory: {peak:.0f} MiB (goal: below 150)")


def main() -> None:
    os.environ["PYTHONPATH"] = str(ROOT)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", default=sys.executable, help="has dnaio and seqpro")
    parser.add_argument(
        "--contestant", nargs=3, metavar=("NAME", "FASTA", "OUT"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.contestant:
        name, fasta, out = arguments.contestant
        {"input": write_input, "dictionary": dictionary, "peer": peer}[name](fasta, out)
        return
    records, rounds = arguments.records, 2 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as name:
        folder = Path(name)
        fasta = folder / f"records-{records}.fa"
        make_input(fasta, records)
        running = contestants(folder, fasta, records, find_peer(arguments.peer_python))
        for one in running[:1] if arguments.quick else running:
            one.run()
            one.wall.clear()
            one.inside.clear()
            one.processor.clear()
        for _ in range(rounds):
            for one in running:
                one.run()
        if not arguments.quick:
            large = folder / f"records-{10 * records}.fa"
            make_input(large, 10 * records)
            tenfold = own("dlutil tenfold", folder, large, 10 * records)
            tenfold.run()
            running.append(tenfold)
        print(f"{records:,} records of {LENGTH} bp, {os.cpu_count()} cores, {rounds} rounds")
        report(running)


if __name__ == "__main__":
    main()
