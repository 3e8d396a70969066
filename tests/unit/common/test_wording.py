"""Numbers with their nouns, and texts that are not too long."""

from __future__ import annotations

from dlutil_core.common.wording import counted, shortened


def test_a_noun_agrees_with_its_number() -> None:
    assert [counted(n, "trial") for n in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
    assert [counted(n, "class", "classes") for n in (1, 3)] == ["1 class", "3 classes"]


def test_a_text_is_one_line_of_at_most_so_many_characters() -> None:
    assert shortened("a\n  b", 10) == "a b"
    assert shortened("0123456789", 10) == "0123456789"
    assert shortened("0123456789x", 10) == "0123456..."
