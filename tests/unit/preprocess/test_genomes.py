"""Genomes: plain and bgzip, and indexes that are theirs or another's."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pysam
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.genome import Genome

NAMES = ("chr1", "chr2", "HLA-A*01:01:01")


def sequences(names=NAMES, length: int = 1000) -> dict[str, str]:
    return {
        name: "".join(random.Random(name).choices("ACGT", k=length + 10 * i))
        for i, name in enumerate(sorted(names))
    }


def fasta(chromosomes: dict[str, str], width: int = 60, end: str = "\n") -> str:
    return "".join(
        f">{name} about it{end}" + "".join(s[i : i + width] + end for i in range(0, len(s), width))
        for name, s in chromosomes.items()
    )


def write(folder: Path, text: str, packed: bool) -> str:
    plain = folder / "genome.fa"
    plain.write_bytes(text.encode())
    if not packed:
        return str(plain)
    pysam.tabix_compress(str(plain), f"{plain}.gz", force=True)
    return f"{plain}.gz"


def warned(caplog) -> list[str]:
    return [r.getMessage() for r in caplog.records if "is not the index" in r.getMessage()]


def agrees(path: str, chromosomes: dict[str, str]) -> None:
    """Random pieces, within and past the ends, are those of the text."""
    generator = random.Random(1)
    genome = Genome(path)
    assert genome.lengths == {name: len(s) for name, s in chromosomes.items()}
    for name, whole in chromosomes.items():
        for _ in range(30):
            start = generator.randrange(-30, len(whole) + 20)
            end = start + generator.randrange(1, 150)
            wanted = "".join(
                whole[i] if 0 <= i < len(whole) else "\0" for i in range(start, end)
            ).encode()
            assert genome.fetch(name, start, end) == wanted, (name, start, end)
    genome.close()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_letters_with_and_without_an_index(tmp_path, caplog, packed, end):
    chromosomes = sequences()
    path = write(tmp_path, fasta(chromosomes, end=end), packed)
    agrees(path, chromosomes)
    assert not list(tmp_path.glob("*.fai")), "the user's folder is only read"
    pysam.faidx(path)
    os.utime(f"{path}.fai", (1, 1))  # older than the genome, and right
    agrees(path, chromosomes)
    assert warned(caplog) == []


def other_order(chromosomes: dict[str, str]) -> str:
    return fasta(dict(reversed(chromosomes.items())))


CHANGES = {
    "other order": other_order,
    "other lines": lambda c: fasta(c, 50),
    "lines as many": lambda c: fasta({"chr1": c["chr1"][:150]}, 61),
    "windows line ends": lambda c: fasta(c, end="\r\n"),
    "one letter more": lambda c: fasta({n: s + "A" for n, s in c.items()}),
    "one letter less at the end": lambda c: fasta(c)[:-2] + "\n",
    "a record more": lambda c: fasta(c) + ">new\nACGT\n",
    "a record less": lambda c: fasta(dict(list(c.items())[:-1])),
    "another name": lambda c: fasta(c).replace(">chr2", ">chr3"),
    "another description": lambda c: fasta(c).replace("about it", "about"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_another_genomes_index_is_noticed_whatever_its_time(tmp_path, caplog, packed, change):
    before = sequences()
    if change == "lines as many":
        before = {"chr1": before["chr1"][:150]}
    path = write(tmp_path, fasta(before), packed)
    pysam.faidx(path)
    index = Path(f"{path}.fai").read_bytes()
    text = CHANGES[change](before)
    write(tmp_path, text, packed)
    os.utime(path, (1, 1))
    after = {record.split()[0]: "".join(record.splitlines()[1:]) for record in text.split(">")[1:]}
    agrees(path, after)
    assert len(warned(caplog)) == 1 and f"{path}.fai" in warned(caplog)[0]
    assert Path(f"{path}.fai").read_bytes() == index


@pytest.mark.parametrize(
    "index",
    [
        "",
        "not an index\n",
        "chr1\t99999\t20\t60\t61\n",
        "chr1\t-5\t6\t60\t61\n",
        "chr1\t5\t6\t0\t0\n",
    ],
)
def test_a_damaged_index_is_noticed(tmp_path, caplog, index):
    chromosomes = sequences()
    path = write(tmp_path, fasta(chromosomes), False)
    Path(f"{path}.fai").write_text(index)
    agrees(path, chromosomes)
    assert len(warned(caplog)) == 1


@pytest.mark.parametrize("blocks", [b"", b"\1" + bytes(7), b"\1" + bytes(7) + b"\7" * 16])
def test_a_damaged_index_of_blocks_is_noticed(tmp_path, caplog, blocks):
    chromosomes = sequences(length=200_000)
    path = write(tmp_path, fasta(chromosomes), True)
    pysam.faidx(path)
    Path(f"{path}.gzi").write_bytes(blocks)
    agrees(path, chromosomes)
    assert len(warned(caplog)) == 1


def test_a_folder_that_cannot_be_written_to(tmp_path):
    chromosomes = sequences()
    folder = tmp_path / "genomes"
    folder.mkdir()
    path = write(folder, fasta(chromosomes), False)
    before = sorted(folder.iterdir())
    folder.chmod(0o555)
    try:
        agrees(path, chromosomes)
    finally:
        folder.chmod(0o755)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "text,word",
    [
        (">a\nACGTAC\nACG\nACGTACG\n", "unequal length"),
        (">a\nACGT\n\nACGT\n", "blank lines"),
        (">a\nACGT\n>a\nACCT\n", "there twice"),
        (">a\nACGT\n>b\nAC\n>a\nACCT\n", "there twice"),
        (">a\nACGT\n>b\n>c\nACGT\n", "is empty"),
        (";old\n>a\nACGT\n", "begins with"),
        ("chr1\t1\t2\n", "begins with"),
        (">a\rACGT\r>b\rAC\r", "carriage returns"),
    ],
)
def test_what_is_no_genome_is_a_sentence(tmp_path, capfd, text, word):
    path = write(tmp_path, text, False)
    with pytest.raises(UserError, match=word) as caught:
        Genome(path)
    assert path in str(caught.value)
    assert capfd.readouterr().err == "", "htslib's own messages are silent"


def test_a_bgzip_file_cut_short_is_a_sentence(tmp_path):
    path = Path(write(tmp_path, fasta(sequences()), True))
    path.write_bytes(path.read_bytes()[:-28])
    with pytest.raises(UserError, match="cut short"):
        Genome(str(path))
    damaged = bytearray(Path(write(tmp_path, fasta(sequences()), True)).read_bytes())
    damaged[100] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"genome\.fa\.gz"):
        agrees(str(path), sequences())


def test_a_packed_genome_gives_the_same_bytes(bench):
    text = fasta(sequences())
    bed = bench.write("a.bed", "chr1\t5\t15\nHLA-A*01:01:01\t10\t20\tx\t0\t-\n")
    made = []
    for packed in (False, True):
        genome = write(bench.folder, text, packed)
        made.append(bench.run({"predict": {"new": {"sequences": bed}}, "genome": genome})["new"])
    assert all(np.array_equal(made[0][key], made[1][key]) for key in made[0])
    assert made[0]["interval"].tolist()[1] == b"HLA-A*01:01:01:10-20(-)"
