"""Valid files of intervals, genomes and sequences as people write them, and a slow reader of them.

The reader is written apart from the project's: it reads whole files, one character after the other
where that is simplest, and says what must come out, or that the input must be refused.
"""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pysam

COMPLEMENT = dict(zip("ACGTN", "TGCAN", strict=True))
CONTIGS = [
    "chr1", "chr2", "chrX", "7", "MT", "track1", "tracks", "browser_2", "HLA-A*01:01:01:01",
    "chrUn_KI270742v1", "scaffold.1", "chr1_random", "ACGT", "1e5", "chr-1",
]  # fmt: skip
NAMES = [
    "peak", ".", "A", "ACGT", "7", "chr1", "x y", "0.75", "ID=7;Name=z", "gene|1", "p:1-2", "é",
    "track", "a#b", "CAT", "*x", "-x", "+5", "plus1",
]  # fmt: skip
STRANDS = ["+", "-", "."]


class Refused(Exception):
    """The input has no meaning under its options, so that the program must refuse it."""


@dataclass
class Case:
    """Files by name, the section that reads them, and what each set must hold."""

    files: dict[str, bytes] = field(default_factory=dict)
    section: dict[str, Any] = field(default_factory=dict)


# -- making ----------------------------------------------------------------------------------------


def make_genome(r: random.Random, case: Case, folder: Path) -> None:
    """A genome, plain or bgzip, with an index of its own, of another genome, damaged or none."""
    names = r.sample(CONTIGS, r.randrange(1, 5))
    genome = {n: "".join(r.choices("ACGTacgtN", k=r.randrange(30, 300))) for n in names}
    width, end = r.choice([1, 7, 10, 50, 60, 61, 400]), r.choice(["\n", "\n", "\r\n"])
    text = _fasta(r, genome, width, end)
    packed = r.random() < 0.3
    name = "genome.fa.gz" if packed else "genome.fa"
    plain = folder / "genome.fa"
    index = r.choice(["none", "none", "own", "other", "damaged"])
    if index in ("own", "other"):
        other = dict(r.sample(list(genome.items()), len(genome)))
        if len(genome) == 1:
            other = {n: s + "A" for n, s in genome.items()}
        changed = r.choice([_fasta(r, other, width, end), _fasta(r, genome, width + 1, end)])
        _pack(plain, text if index == "own" else changed, packed)
        pysam.faidx(str(folder / name))
        for suffix in (".fai", ".gzi"):
            beside = folder / f"{name}{suffix}"
            if beside.exists():
                case.files[beside.name] = beside.read_bytes()
    if index == "damaged":
        case.files[f"{name}.fai"] = r.choice([b"", b"x\n", b"chr1\t9\t9\t9\t10\n"])
    _pack(plain, text, packed)
    case.files[name] = (folder / name).read_bytes()
    case.section["genome"] = name


def _fasta(r: random.Random, genome: dict[str, str], width: int, end: str) -> str:
    lines = []
    for name, sequence in genome.items():
        lines.append(f">{name}{r.choice(['', ' about it', chr(9) + 'x', ' chr9:1-2'])}")
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    return end.join(lines) + r.choice([end, ""])


def _pack(plain: Path, text: str, packed: bool) -> None:
    plain.write_bytes(text.encode())
    if packed:
        pysam.tabix_compress(str(plain), f"{plain}.gz", force=True)


def make_bed(r: random.Random, case: Case, lengths: dict[str, int], file: str) -> None:
    """A BED or narrowPeak file whose lines mean one thing."""
    columns = r.choice([3, 3, 4, 5, 6, 6, 9, 10, 10, 12, 20])
    apart = "\t" if r.random() < 0.8 else r.choice([" ", "  "])
    inside = r.random() < 0.6
    width = r.choice([0, 0, 8])
    lines = [_row(r, lengths, columns, inside, width) for _ in range(r.randrange(1, 12))]
    rows = [apart.join(_plain(row) if apart != "\t" else row) for row in lines]
    asides = ["# x", "#", "track name=x", "browser position 7:1-9", "", "track", "#chr1\t5\t9"]
    if columns > 3:
        asides.append("#chrom\tstart\tend\tname")
    if columns == 10:
        asides.append('track type="narrowPeak" name="x"')
    for _ in range(r.randrange(0, 4)):
        rows.insert(r.randrange(len(rows) + 1), r.choice(asides))
    end = r.choice(["\n", "\n", "\r\n", "\r"])
    raw = (r.choice(["", "\ufeff"]) + end.join(rows) + r.choice([end, "", end * 2])).encode()
    case.files[file] = gzip.compress(raw, mtime=0) if r.random() < 0.2 else raw


def _plain(row: list[str]) -> list[str]:
    """Fields that blanks can separate."""
    return [value.replace(" ", "_") or "." for value in row]


def _row(
    r: random.Random, lengths: dict[str, int], columns: int, inside: bool, width: int
) -> list[str]:
    chromosome = r.choice(list(lengths))
    length = lengths[chromosome]
    start = r.randrange(0, length - 12) if inside else r.randrange(-20, length + 10)
    end = start + (width or r.randrange(1, 12 if inside else 60))
    if inside:
        end = min(end, length)
    name = r.choice(NAMES)
    score = r.choice(["0", "960", ".", "12.5", "-3.2"])
    row = [chromosome, str(start), str(end), name, score, r.choice(STRANDS)]
    if columns in (10, 20):
        summit = r.choice([-1, 0, end - start - 1, r.randrange(0, end - start)])
        row += [r.choice(["5.1", "182", "0"]), r.choice(["-1", "9.3"]), "4.7", str(summit)]
        row += r.choices(["1", "0.5", "-1", "200"], k=10)  # as IDR writes them
    else:
        row += [str(start), str(end), r.choice(["0", "255,0,0"])]
        row += r.choice([["1", f"{end - start},", "0,"], ["2", "1,1,", "0,1,"]])
    return row[:columns]


def intervals(seed: int, folder: Path) -> Case:
    """A genome, one or two BED files, targets perhaps, and options."""
    r = random.Random(seed)
    case = Case()
    make_genome(r, case, folder)
    genome = read_genome(case.files[case.section["genome"]])
    make_bed(r, case, {n: len(s) for n, s in genome.items()}, "a.bed")
    source: dict[str, Any] = {"sequences": "a.bed"}
    rows = len(bed_rows(case.files["a.bed"]))
    case.section |= {"outside": r.choice(["error", "drop", "pad", "shift"])}
    case.section |= {"window": r.choice([None, 1, 9, 10, 24])}
    case.section |= {"center": r.choice(["summit", "summit", "middle"])}
    if case.section["window"] is None:
        case.section |= {"length": "pad", "align": r.choice(["left", "center", "right"])}
    if r.random() < 0.5:
        source["targets"] = "a.t"
        case.files["a.t"] = "".join(f"{i}\n" for i in range(rows)).encode()
    case.section["train"] = source
    return case


HEADERS = ["{p}", "{p}(+)", "n{i}::{p}", "x:7-9::{p}(-)", "g{i} {p}", "hg38 range={p} strand=+"]
OTHERS = ["chromosome:GRCh38:{c}:{s}:{e}:1", "{p} {p}", "{p}|g{i}", "{p}_shuf"]


def sequences(seed: int) -> Case:
    """A FASTA file with odd lines, whose headers tell chromosomes, split by them."""
    r = random.Random(seed)
    contigs = [*r.sample([c for c in CONTIGS if ":" not in c], 3), "HLA-A*01:01:01:01"]
    lines = []
    for i in range(r.randrange(6, 14)):
        chromosome = contigs[i % 3] if i < 3 else r.choice(contigs)
        start = r.randrange(0, 10_000)
        place = f"{chromosome}:{start}-{start + 9}"
        forms = HEADERS if ":" in chromosome else HEADERS + OTHERS
        header = r.choice(forms).format(p=place, i=i, c=chromosome, s=start, e=start + 9)
        sequence = "".join(r.choices("ACGTacgtN", k=r.randrange(1, 20)))
        width = r.choice([1, 5, 40])
        lines.append(f">{r.choice(['', '', ' '])}{header}{r.choice(['', '', ' '])}")
        lines += [
            sequence[j : j + width] + r.choice(["", "", " "])
            for j in range(0, len(sequence), width)
        ]
        lines += [""] * r.choice([0, 0, 0, 1])
    head = r.choice([[], [], ["# made by x"], [";old", "", "#x"], [""]])
    end = r.choice(["\n", "\n", "\r\n", "\r"])
    raw = (r.choice(["", "\ufeff"]) + end.join(head + lines) + r.choice([end, ""])).encode()
    case = Case({"a.fa": gzip.compress(raw, mtime=0) if r.random() < 0.2 else raw})
    align = r.choice(["left", "center", "right"])
    case.section = {"sequences": "a.fa", "length": "pad", "align": align}
    valid, test = contigs[1], contigs[2]
    case.section["split"] = {"by": "chromosome", "valid": [valid], "test": [test]}
    return case


# -- reading, slowly -------------------------------------------------------------------------------


def text_of(raw: bytes) -> str:
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def read_genome(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in text_of(raw).split("\n"):
        if line.startswith(">"):
            name = line[1:].split()[0]
            found[name] = ""
        else:
            found[name] += line.strip()
    return found


def bed_rows(raw: bytes) -> list[list[str]]:
    rows = []
    for line in text_of(raw).split("\n"):
        fields = line.split("\t") if "\t" in line else line.split()
        word = fields[0].strip() if fields else ""
        if not line.strip() or line.startswith("#") or word in ("track", "browser"):
            continue
        if line.split()[0] in ("track", "browser"):
            continue
        rows.append(fields)
    return rows


def expected_intervals(case: Case) -> list[tuple[str, str, str, int]]:
    """Name, sequence, interval and number of each record that must come out."""
    genome = read_genome(case.files[case.section["genome"]])
    rows = bed_rows(case.files["a.bed"])
    found = []
    for number, row in enumerate(rows):
        record = _record(row, genome, case.section)
        if record is not None:
            found.append((*record, number))
    if not found:
        raise Refused("nothing is left")
    widest = max(len(sequence) for _, sequence, _, _ in found)
    align = case.section.get("align", "center")
    return [(n, padded(s, widest, align), i, k) for n, s, i, k in found]


def _record(
    row: list[str], genome: dict[str, str], options: dict[str, Any]
) -> tuple[str, str, str] | None:
    chromosome, start, end = row[0], int(row[1]), int(row[2])
    whole = genome[chromosome]
    strand = row[5] if len(row) > 5 else "."
    name = row[3] if len(row) > 3 and row[3] not in ("", ".") else f"{chromosome}:{start}-{end}"
    outside = options["outside"]
    if outside == "error" and (start < 0 or end > len(whole)):
        raise Refused("past an end")
    first, last = start, end
    if options["window"]:
        centre = (start + end) // 2
        if len(row) in (10, 20) and options["center"] == "summit" and int(row[9]) >= 0:
            centre = start + int(row[9])
        first = centre - options["window"] // 2
        last = first + options["window"]
    if first < 0 or last > len(whole):
        if outside == "drop":
            return None
        nothing = end <= 0 or start >= len(whole)
        if outside == "error" or nothing:
            raise Refused("past an end")
        if outside == "pad" and (last <= 0 or first >= len(whole)):
            raise Refused("nothing of the chromosome")
        if outside == "shift":
            if last - first > len(whole):
                raise Refused("longer than the chromosome")
            while first < 0:
                first, last = first + 1, last + 1
            while last > len(whole):
                first, last = first - 1, last - 1
    letters = [whole[i].upper() if 0 <= i < len(whole) else "N" for i in range(first, last)]
    if strand == "-":
        letters = [COMPLEMENT[letter] for letter in reversed(letters)]
    return name, "".join(letters), f"{chromosome}:{first}-{last}({strand})"


def padded(sequence: str, width: int, align: str) -> str:
    missing = width - len(sequence)
    left = {"left": 0, "center": missing // 2, "right": missing}[align]
    return "N" * left + sequence + "N" * (missing - left)


def expected_sets(case: Case) -> dict[str, list[tuple[str, str]]]:
    """Name and sequence of the records of each set, by the chromosome that the maker wrote."""
    records: list[list[str]] = []
    for line in text_of(case.files["a.fa"]).split("\n"):
        if line.startswith(">"):
            records.append([line[1:].replace("\t", " ").strip(), ""])
        elif records:
            records[-1][1] += line.strip().upper()
    widest = max(len(sequence) for _, sequence in records)
    split = case.section["split"]
    found: dict[str, list[tuple[str, str]]] = {"train": [], "valid": [], "test": []}
    for name, sequence in records:
        chromosome = _chromosome(name)
        of_set = next((s for s in ("valid", "test") if chromosome in split[s]), "train")
        found[of_set].append((name, padded(sequence, widest, case.section["align"])))
    if not all(found.values()):
        raise Refused("a set is empty")
    return found


def _chromosome(name: str) -> str:
    """The one that the place in a header of `HEADERS` or `OTHERS` names."""
    if name.startswith("chromosome:"):
        return name.split(":")[2]
    if "::" in name:
        name = name.split("::")[-1]
    else:
        name = next(
            word for word in name.replace("|", " ").replace("=", " ").split() if ":" in word
        )
    return name[: name.rindex(":")]
