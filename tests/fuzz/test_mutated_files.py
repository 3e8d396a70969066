"""Thousands of damaged raw files: a whole output or one sentence, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import mutation
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILES = int(os.environ.get("DLUTIL_FUZZ_FILES", "6000"))
SEEDS = 4


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_the_good_files_are_good(tmp_path: Path) -> None:
    for number, (files, section) in enumerate(mutation.good_cases()):
        assert mutation.check(files, section, tmp_path / str(number)) == "ok"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_damaged_files(seed: int, tmp_path: Path) -> None:
    count = -(-FILES // SEEDS)
    outcomes = mutation.damage_many(count, seed, tmp_path / "files")
    print(f"{count} damaged files: {dict(outcomes)}")
    assert outcomes["refused"] > count // 10 and outcomes["ok"] > count // 50


letters = st.text(alphabet="ACGTNacgtn", max_size=12)
headers = st.text(alphabet=st.characters(blacklist_characters="\n\r\0>"), max_size=8)


@given(st.lists(st.tuples(headers, letters), min_size=1, max_size=8), st.sampled_from([0, 1, 5]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_fasta(tmp_path: Path, records: list[tuple[str, str]], width: int) -> None:
    def body(s: str) -> str:
        return "\n".join(s[i : i + width] for i in range(0, len(s), width)) if width else s

    text = "".join(f">{h}\n{body(s)}\n" for h, s in records).encode("utf-8", "surrogatepass")
    section = {"predict": {"new": {"sequences": "a.fa"}}, "length": "pad"}
    outcome = mutation.check({"a.fa": text}, section, tmp_path)
    assert outcome == ("ok" if all(s for _, s in records) else "refused")


@given(st.binary(max_size=200), st.sampled_from(["a.fa", "a.t"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes(tmp_path: Path, raw: bytes, name: str) -> None:
    files = {"a.fa": mutation.fasta(3), "a.t": b"1\n2\n3\n"} | {name: raw}
    mutation.check(files, {"train": {"sequences": "a.fa", "targets": "a.t"}}, tmp_path)
