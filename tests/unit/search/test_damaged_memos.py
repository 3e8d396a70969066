"""Memos of trials that were damaged are never believed, and are whole again afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_search import DEFINITION, SmallSearch, with_epochs

FAILING = with_epochs("if self.config['number'] == 1:", "    raise ValueError('a bad unit')")


@pytest.fixture
def searched(tmp_path: Path) -> SmallSearch:
    search = SmallSearch(tmp_path / "search", FAILING)
    search.run()
    return search


def test_a_message_that_was_edited_is_none(searched: SmallSearch) -> None:
    before = searched.files
    path = searched.folder / "trials" / "00001" / "config.json"
    text = path.read_text()
    assert text.count("a bad unit") == 1
    path.write_text(text.replace("a bad unit", "a bed unit"))
    searched.run()
    assert searched.files == before
    assert path.read_text() == text


def test_a_damaged_set_of_reads_is_written_again(tmp_path: Path) -> None:
    reading = DEFINITION.replace("AT_TOP = None", "AT_TOP = open(__file__ + '.txt').read()")
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "def.py.txt").write_text("read")
    search = SmallSearch(tmp_path / "search", reading)
    search.run()
    (path,) = (tmp_path / "search" / "trials").glob("reads-*.json")
    text = path.read_text()
    path.write_text("[]")
    search.run()
    assert path.read_text() == text
