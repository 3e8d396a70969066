"""Wrong input: one sentence with file and record or line, and nothing left behind."""

from __future__ import annotations

import errno
import gzip
import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
GOOD = ">a\nACGT\n>b\nACGA\n"


def predict(path: str, **options):
    return {"predict": {"new": {"sequences": path}}, **options}


@pytest.mark.parametrize(
    "text,words",
    [
        ("", ["is empty"]),
        ("\n\n", ["blank"]),
        ("ACGT\n", ["line 1", "'ACGT'", "FASTA"]),
        (">a\nACGT\n>b\n>c\nACGT\n", ["record 2 (b)", "empty sequence"]),
        (">a\nACGT\n>b\n", ["record 2 (b)", "empty sequence"]),
        (">a\nACGT\n>b\nACXT\n", ["record 2 (b)", "'X'", "position 3"]),
        (">a\nACGT\n>b\nACRT\n", ["record 2 (b)", "'R'", "iupac"]),
        (">a\nACGU\n", ["record 1 (a)", "'U'", "rna"]),
        (">a\nACGT\n>b\nACé\n", ["record 2 (b)", "position 3"]),
        (">a\nACGT\n>b\nACG\n", ["record 2 (b)", "3 letters", "4", "preprocess.length"]),
        (">a\nACGT\n>b\nAC\0T\n", ["line 4", "NUL"]),
        (">a\nACGT\n>b\nAC>T\n", ["record 2 (b)", "'>'"]),
        ("a ACGT\nb\n", ["line 2", "'b'"]),
        ("a,b,c\n1,2,3\n", ["line 1", "preprocess.columns"]),
        ("sequence,label\nACGT,1\nACGT\n", ["line 3", "1 columns"]),
        ("sequence,label\n", ["no record"]),
        ("sequence,label\n,1\n", ["line 2", "empty sequence"]),
    ],
)
def test_bad_sequences(bench, text, words):
    bench.refused(predict(bench.write("a.fa", text)), "a.fa", *words)


@pytest.mark.parametrize(
    "text,words",
    [
        ("1\n", ["1 targets", "2 records"]),
        ("1\n2\n3\n", ["3 targets", "2 records"]),
        ("1\nx\n", ["line 2", "'x'"]),
        ("1\nnan\n", ["line 2", "'nan'"]),
        ("1\n1e999\n", ["line 2", "'1e999'"]),
        ("1\n1_0\n", ["line 2", "'1_0'"]),
        ("1 2\n3\n", ["line 2", "1 targets", "2"]),
        ("label\n1\n2\n", ["line 1", "'label'"]),
        ("\n\n", ["no target"]),
        ("", ["is empty"]),
        ("1\n\0\n", ["line 2", "NUL"]),
    ],
)
def test_bad_targets(bench, text, words):
    source = {"sequences": bench.write("a.fa", GOOD), "targets": bench.write("a.target", text)}
    bench.refused({"train": source}, "a.target", *words)


def test_records_are_counted_where_targets_run_out_early(bench):
    fa = bench.write("a.fa", ">a\nACGT\n" * 30_000)
    source = {"sequences": fa, "targets": bench.write("a.target", "1\n" * 100)}
    bench.refused({"train": source}, "100 targets", "30000 records")


def test_paired_files_of_unequal_length(bench):
    source = {"sequences": bench.write("a.fa", GOOD), "paired": bench.write("b.fa", ">a\nACGT\n")}
    bench.refused({"predict": {"new": source}}, "b.fa", "1 records", "2")
    source = {"sequences": source["paired"], "paired": source["sequences"]}
    bench.refused({"predict": {"new": source}}, "a.fa", "2 records", "1")


def test_sets_that_do_not_fit_together(bench):
    sets = {
        "train": {
            "sequences": bench.write("a.fa", GOOD),
            "targets": bench.write("a.t", "1 2\n3 4\n"),
        },
        "test": {"sequences": bench.write("b.fa", GOOD), "targets": bench.write("b.t", "1\n2\n")},
    }
    bench.refused(sets, "preprocess.test", "1 columns", "train", "2")
    other = bench.write("c.fa", ">c\nACGTA\n")
    bench.refused(
        {"train": sets["train"], "test": {"sequences": other}}, "c.fa: record 1 (c)", "a.fa"
    )


def test_missing_files_and_folders(bench):
    bench.refused(predict(str(bench.folder / "none.fa")), "none.fa", "no such file")
    bench.refused(predict(str(bench.folder)), "not a file")


@pytest.mark.parametrize("keep", [1, 30, -9, -3])
def test_gzip_cut_short(bench, keep):
    whole = gzip.compress("".join(f">r{i}\nACGTACGT\n" for i in range(20_000)).encode())
    bench.refused(predict(bench.write("a.fa.gz".replace(".gz", ".z"), whole[:keep])), "a.fa.z")


def test_gzip_cut_short_says_where(bench):
    text = "".join(f">r{i}\nACGTACGT\n" for i in range(20_000)).encode()
    whole = b"".join(gzip.compress(text[i : i + 1000]) for i in range(0, len(text), 1000))
    half = whole[: len(whole) // 2]
    said = bench.refused(predict(bench.write("a.z", half)), "cut short", "after line")
    line = int(said.partition("after line ")[2].split()[0])
    assert 15_000 < line < 25_000


def test_damaged_gzip(bench):
    whole = bytearray(gzip.compress("".join(f">r{i}\nACGTACGT\n" for i in range(20_000)).encode()))
    whole[len(whole) // 2] ^= 0xFF
    bench.refused(predict(bench.write("a.z", bytes(whole))), "a.z")


def test_a_line_of_a_gigabyte(bench):
    """1 GiB in one line, as gzip members of 16 MiB; read up to the limit of a record only."""
    member = gzip.compress(b"A" * (1 << 24), compresslevel=1)
    for head in (b">long\n", b"long ", b""):
        path = bench.write("a.z", gzip.compress(head) + member * 64)
        bench.refused(predict(path), "a.z", "line", "MiB")
    source = {"sequences": bench.write("b.fa", GOOD), "targets": path}
    bench.refused({"train": source}, "a.z", "line 1", "MiB")


def test_a_name_without_end(bench):
    path = bench.write("a.fa", ">a\nACGT\n>" + "n" * 100_000 + "\nACGT\n")
    bench.refused(predict(path), "a.fa", "record 2", "name")


def script(section: dict, data: Path, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(REPOSITORY / "scripts" / "preprocess.py")]
    command += ["--section", json.dumps(section), "--data", str(data)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, **options
    )


def test_the_script_says_one_sentence_and_exits_with_one(bench):
    done = script(predict(bench.write("a.fa", ">a\nACXT\n")), bench.data)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_earlier_files_stay_when_a_run_fails(bench):
    bench.run(predict(bench.write("a.fa", GOOD)))
    before = {f.name: f.read_bytes() for f in bench.data.iterdir()}
    done = script(predict(bench.write("a.fa", GOOD + ">c\nXXXX\n")), bench.data)
    assert done.returncode == 1
    assert before == {f.name: f.read_bytes() for f in bench.data.iterdir()}


@pytest.mark.parametrize("compression", ["blosc", "none"])
@pytest.mark.parametrize("limit", [1_000, 100_000, 300_000])
def test_no_room_for_the_file(bench, limit, compression):
    """A limit on the size of files stands for a full disk: writing fails in the same places."""
    letters = random.Random(1).choices("ACGT", k=30_000 * 25)
    sequences = ["".join(letters[i : i + 25]) for i in range(0, len(letters), 25)]
    fa = bench.write("a.fa", "".join(f">record{i}\n{s}\n" for i, s in enumerate(sequences)))

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = script(predict(fa, compression=compression), bench.data, preexec_fn=limited)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    assert "largest size" in done.stderr
    assert list(bench.data.iterdir()) == []


def test_a_full_disk_is_a_sentence_too(tmp_path):
    """What h5py raises when HDF5 meets a full device, taken from the device that is always full."""
    import h5py

    from dlutil_core.common.errors import UserError
    from dlutil_core.preprocess.write.datasets import disk_full_is_a_sentence

    with (
        pytest.raises(UserError, match="disk is full"),
        disk_full_is_a_sentence(tmp_path),
        h5py.File("/dev/full", "w") as file,
    ):
        file["data"] = [0] * 10_000
    with pytest.raises(UserError, match="disk is full"), disk_full_is_a_sentence(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="other"), disk_full_is_a_sentence(tmp_path):
        raise OSError(errno.EIO, "other")
