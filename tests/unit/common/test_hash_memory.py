"""Hashes of files: those of the bytes that are there now, looked at as seldom as possible."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from dlutil_core.common import hash_memory
from dlutil_core.common.hash_memory import HashMemory, memory_file
from dlutil_core.common.reads import ABSENT, FILE, FOLDER, Read

LONG_AGO = 10**9 * 10**9


@pytest.fixture(autouse=True)
def nothing_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_memory, "CHEAP_BYTES", 0)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory" / "hashes.json"


def settled(path: Path, text: str) -> Path:
    """A file that was written long ago; its change time is now, so time has to be moved instead."""
    path.write_text(text)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def later(monkeypatch: pytest.MonkeyPatch, seconds: float = 60) -> None:
    """Let some time pass for the memory."""
    now = time.time_ns()
    monkeypatch.setattr(hash_memory.time, "time_ns", lambda: now + int(seconds * 10**9))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_that_is_as_it_was_is_not_read_again(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settled(tmp_path / "a", "one")
    later(monkeypatch)
    first = HashMemory(memory)
    assert first.file(path) == sha256("one")
    first.save()
    monkeypatch.setattr(hash_memory, "_hashed", lambda *_: pytest.fail("was read again"))
    assert HashMemory(memory).file(path) == sha256("one")
    (tmp_path / "link").symlink_to(path)
    assert HashMemory(memory).file(tmp_path / "link") == sha256("one")


def test_a_file_that_was_just_written_is_hashed_again(tmp_path: Path, memory: Path) -> None:
    path = settled(tmp_path / "a", "one")
    first = HashMemory(memory)
    assert first.file(path) == sha256("one")
    first.save()
    assert not memory.exists(), "its change time is younger than two seconds"


def test_the_same_size_and_time_do_not_hide_another_content(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settled(tmp_path / "a", "one")
    later(monkeypatch)
    first = HashMemory(memory)
    first.file(path)
    first.save()
    settled(path, "two")  # in place: the change time is another
    assert HashMemory(memory).file(path) == sha256("two")
    os.replace(settled(tmp_path / "b", "new"), path)
    assert HashMemory(memory).file(path) == sha256("new")


def test_few_small_files_need_no_memory(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hash_memory, "CHEAP_BYTES", 5)
    monkeypatch.setattr(hash_memory, "_loaded", lambda *_: pytest.fail("was looked up"))
    path = settled(tmp_path / "a", "one")
    later(monkeypatch)
    found = HashMemory(memory)
    assert found.file(path) == found.file(path) == sha256("one")
    settled(path, "two")
    assert found.file(path) == sha256("two")
    found.save()
    assert not memory.exists()
    monkeypatch.setattr(hash_memory, "_loaded", lambda *_: {})
    assert found.file(settled(tmp_path / "b", "three")) == sha256("three")
    found.save()
    assert list(json.loads(memory.read_text())) == [str((tmp_path / "b").resolve())]


def test_what_several_processes_remember_is_kept(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = settled(tmp_path / "a", "one"), settled(tmp_path / "b", "two")
    later(monkeypatch)
    one, two = HashMemory(memory), HashMemory(memory)
    one.file(a)
    two.file(b)
    one.save()
    two.save()
    assert set(json.loads(memory.read_text())) == {str(a), str(b)}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"/x": 3}', '{"/x": []}'])
def test_a_damaged_memory_costs_time_alone(tmp_path: Path, memory: Path, text: str) -> None:
    memory.parent.mkdir()
    memory.write_text(text)
    path = settled(tmp_path / "a", "one")
    found = HashMemory(memory)
    assert found.file(path) == sha256("one")
    found.save()


def test_a_memory_that_cannot_be_written_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    later(monkeypatch)
    found = HashMemory()
    assert found.path == memory_file()
    assert found.file(settled(tmp_path / "a", "one")) == sha256("one")
    found.save()


def test_what_a_read_would_be_now(tmp_path: Path, memory: Path) -> None:
    found = HashMemory(memory)
    path = settled(tmp_path / "a", "one")
    names = sha256("a\n")
    reads = [
        Read(str(path), FILE, sha256("one")),
        Read(str(tmp_path), FOLDER, names),
        Read(str(tmp_path / "b"), ABSENT),
    ]
    assert found.changed(reads) is None
    (tmp_path / "b").mkdir()
    assert found.changed(reads[:1]) is None
    assert found.changed(reads[1:2]) == reads[1]
    assert found.changed(reads[2:]) == reads[2]
    assert found.read(FILE, str(tmp_path / "b")) is None
    assert found.read(FOLDER, str(path)) is None
