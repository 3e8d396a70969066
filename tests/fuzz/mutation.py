"""Good raw files of every form, and small damages to them; what must hold after preprocessing."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401
import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.pipeline import preprocess

TOKENS = [
    b"\0", b"\n", b"\r", b"\r\n", b"\t", b" ", b",", b">", b">\n", b"\n>", b"#", b'"', b"N", b"x",
    b"-", b"nan", b"inf", b"1e999", b"1_0", b"-1", b"0.5", b"999999999999999999999", b"\xff\xfe",
    b"\xef\xbb\xbf", "é".encode(), b"\x1f\x8b", b"chr9", b"\x80", b"ACGT" * 50, b"track\n", b"\v",
]  # fmt: skip
PLACE = re.compile(r"record \d+|line \d+|record at line \d+")


def fasta(count: int, width: int = 0, seed: int = 1) -> bytes:
    """Records of 24 letters on six chromosomes."""
    generator = random.Random(seed)
    lines = []
    for i in range(count):
        sequence = "".join(generator.choices("ACGTacgtN", k=24))
        lines.append(f">chr{i % 6 + 1}:{i}-{i + 24} peak {i}")
        lines += [sequence[j : j + (width or 24)] for j in range(0, 24, width or 24)]
    return ("\n".join(lines) + "\n").encode()


def good_cases() -> list[tuple[dict[str, bytes], dict[str, Any]]]:
    """Raw files by name, and the section that reads them."""
    targets = b"".join(b"%d\t%.2f\n" % (i % 2, i / 7) for i in range(12))
    digits = b"".join(b"%d %d\n" % (i % 2, 1 - i % 2) for i in range(12))
    lines = fasta(12).decode().split("\n")
    rows = list(zip(lines[0::2], lines[1::2], strict=False))
    pasted = "".join(f"{name} {sequence}\n" for name, sequence in rows).encode()
    table = "id,seq,y\n" + "".join(f'"r,{i}",{s},{i / 3:.3f}\n' for i, (_, s) in enumerate(rows))
    bed = "".join(
        f"chr{i % 2 + 1}\t{i * 5}\t{i * 5 + 24}\tp{i}\t0\t{'+-'[i % 2]}\n" for i in range(12)
    )
    genome = b"".join(b">chr%d\n" % i + b"\n".join([b"ACGTTGCAAC" * 3] * 6) + b"\n" for i in (1, 2))
    by_chromosome = {"by": "chromosome", "valid": ["chr1"], "test": ["chr2"]}
    return [
        (
            {"a.fa": fasta(12), "a.t": digits, "b.fa": fasta(6, 7, seed=2), "b.t": targets[:60]},
            {"train": {"sequences": "a.fa", "targets": "a.t"}, "test": {"sequences": "b.fa"}},
        ),
        (
            {"a.fa.gz": gzip.compress(fasta(12, 10), mtime=0), "a.t": targets},
            {"train": {"sequences": "a.fa.gz", "targets": "a.t"}, "length": "pad"},
        ),
        (
            {"a.fa": fasta(12)},
            {"positives": "a.fa", "negatives": "shuffle", "split": by_chromosome},
        ),
        (
            {"a.tsv": pasted, "a.t": digits},
            {
                "sequences": "a.tsv",
                "targets": "a.t",
                "split": {"by": "fraction", "valid": 0.25, "test": 0.25},
                "ambiguous": "zero",
                "length": "crop",
            },
        ),
        (
            {"a.csv": table.encode()},
            {
                "train": {"sequences": "a.csv"},
                "columns": {"sequence": "seq", "name": "id", "labels": ["y"]},
                "ambiguous": "iupac",
            },
        ),
        (
            {"a.bed": bed.encode(), "g.fa": genome},
            {
                "positives": "a.bed",
                "negatives": "shuffle",
                "genome": "g.fa",
                "window": 20,
                "split": {"by": "fraction", "test": 0.25},
            },
        ),
        (
            {"a.fa": fasta(12), "b.fa": fasta(12, seed=3), "m": b"A 1 0\nC 0 1\nG 1 1\nT 0 -1\n"},
            {
                "predict": {"new": {"sequences": "a.fa", "paired": "b.fa"}},
                "alphabet": "m",
                "reverse_complement": "all",
            },
        ),
        (
            {"x.txt": targets, "y.txt": digits},
            {"train": {"features": "x.txt", "targets": "y.txt"}},
        ),
    ]


def damaged(raw: bytes, generator: random.Random) -> bytes:
    """One to three random damages: bytes changed, put in, left out, lines repeated or exchanged."""
    for _ in range(generator.choice([1, 1, 1, 2, 3])):
        raw = generator.choice(DAMAGES)(raw, generator)
    return raw


def _flip(raw: bytes, generator: random.Random) -> bytes:
    if not raw:
        return raw
    at = generator.randrange(len(raw))
    return raw[:at] + bytes([generator.randrange(256)]) + raw[at + 1 :]


def _insert(raw: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(raw) + 1)
    return raw[:at] + generator.choice(TOKENS) + raw[at:]


def _replace(raw: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(raw) + 1)
    return raw[:at] + generator.choice(TOKENS) + raw[at + generator.randrange(1, 9) :]


def _delete(raw: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(raw) + 1)
    return raw[:at] + raw[at + generator.randrange(1, 30) :]


def _truncate(raw: bytes, generator: random.Random) -> bytes:
    return raw[: generator.randrange(len(raw) + 1)]


def _lines(raw: bytes, generator: random.Random) -> bytes:
    lines = raw.split(b"\n")
    first, second = generator.randrange(len(lines)), generator.randrange(len(lines))
    kind = generator.randrange(4)
    if kind == 0:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 1:
        lines.insert(second, lines[first])
    elif kind == 2:
        del lines[first]
    else:
        lines[first] = lines[first] * generator.choice([2, 1000])
    return b"\n".join(lines)


def _ends(raw: bytes, generator: random.Random) -> bytes:
    return raw.replace(b"\n", generator.choice([b"\r\n", b"\r", b"\n\n", b"", b" \n"]))


def _other(raw: bytes, generator: random.Random) -> bytes:
    return generator.choice([b"", b"\n", raw + raw, gzip.compress(raw), raw[::-1], raw.lower()])


DAMAGES = [_flip, _insert, _replace, _delete, _truncate, _lines, _lines, _ends, _other]


def check(files: dict[str, bytes], section: dict[str, Any], folder: Path) -> str:
    """Preprocess; either a whole output or one sentence, never anything else.

    Returns
    -------
    ``ok``, or ``refused``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    rooted = _rooted(section, folder, set(files))
    data = folder / "data"
    try:
        preprocess(rooted, data, 1)
    except UserError as error:
        check_sentence(str(error), files, folder)
        left = [f.name for f in data.iterdir()] if data.exists() else []
        assert left == [], f"{left} stays behind after: {error}"
        outcome = "refused"
    else:
        check_output(data)
        outcome = "ok"
    for path in data.iterdir() if data.exists() else []:
        path.unlink()
    return outcome


def _rooted(value: Any, folder: Path, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _rooted(v, folder, names) for key, v in value.items()}
    return str(folder / value) if isinstance(value, str) and value in names else value


def check_sentence(sentence: str, files: dict[str, bytes], folder: Path) -> None:
    """One line that names a file (or the key of the split) and, but for whole files, a place."""
    assert sentence.splitlines() == [sentence], repr(sentence)
    assert sentence.isprintable(), repr(sentence)
    assert len(sentence) < 600, len(sentence)
    named = any(str(folder / name) in sentence for name in files)
    assert named or sentence.startswith("preprocess."), sentence


def check_output(data: Path) -> None:
    """Every set is whole: as many names, labels and statistics as records, all numbers finite."""
    written = sorted(data.iterdir())
    sets = [path for path in written if path.suffix == ".h5"]
    assert sets and len(written) == 2 * len(sets) + 1, written  # and encoding.json
    for path in sets:
        stats = json.loads(path.with_suffix(".stats.json").read_text())
        with h5py.File(path) as file:
            arrays = {key: file[key][:] for key in file}
        count = len(arrays["data"])
        assert count == stats["records"] > 0
        assert {len(array) for array in arrays.values()} == {count}
        assert np.isfinite(arrays["data"]).all()
        if "label" in arrays:
            assert np.isfinite(arrays["label"]).all()


def damage_many(count: int, seed: int, folder: Path) -> Counter[str]:
    """Preprocess `count` sets of files of which one is damaged; how they ended, by outcome."""
    generator = random.Random(seed)
    cases = good_cases()
    outcomes: Counter[str] = Counter()
    for number in range(count):
        files, section = cases[number % len(cases)]
        name = generator.choice(list(files))
        changed = files | {name: damaged(files[name], generator)}
        try:
            outcomes[check(changed, section, folder)] += 1
        except BaseException as error:
            kept = folder.parent / "damaged-input"
            kept.write_bytes(changed[name])
            raise AssertionError(f"number {number}, {name} (kept as {kept}): {error}") from error
    return outcomes
