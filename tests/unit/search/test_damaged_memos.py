"""Memos of trials that were damaged are never believed, and are whole again afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_search import DEFINITION, SmallSearch, with_epochs

from dlutil_core.common.errors import UserError

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


@pytest.mark.parametrize("name", ["config.json", "history.csv", "at-1.pt", "at-3.pt"])
def test_a_folder_in_a_file_s_place_is_removed(name: str, searched: SmallSearch) -> None:
    before = searched.files
    for folder in (searched.folder / "trials").glob("[0-9]*"):
        path = folder / name
        if path.is_file():
            path.unlink()
            path.mkdir()
            (path / "more").touch()
    searched.run()
    assert searched.files == before


def test_a_folder_in_the_place_of_a_set_of_reads_is_told(searched: SmallSearch) -> None:
    for path in (searched.folder / "trials").glob("reads-*.json"):
        path.unlink()
        path.mkdir()
    with pytest.raises(UserError, match="is a folder where a file belongs; move it away"):
        searched.run()
