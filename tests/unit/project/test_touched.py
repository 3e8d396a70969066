"""`make check` runs the tests of the rooms that a change touches."""

from __future__ import annotations

import pytest
from support import REPOSITORY
from touched import OF_RULES, units_of


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ([], []),
        (["README.md", "docs/search.md", "tests/support.py"], []),
        (["dlutil_core/search/plan.py"], ["tests/unit/search"]),
        (["dlutil_core/search/staged/draws.py"], ["tests/unit/search"]),
        (["dlutil_core/base_model.py"], ["tests/unit/loaders", "tests/unit/model"]),
        (["scripts/plan.py", "workflow/rules/plan.smk"], sorted(OF_RULES)),
        (["tests/unit/search/test_gone.py"], []),
        (["tests/unit/project/test_touched.py"], ["tests/unit/project/test_touched.py"]),
        (
            ["tests/unit/run/test_judge.py", "dlutil_core/run/judge.py", "dlutil_core/job/step.py"],
            ["tests/unit/job", "tests/unit/run"],
        ),
    ],
)
def test_what_a_change_touches(changed: list[str], found: list[str]) -> None:
    assert units_of(changed) == found


def test_every_room_has_tests_of_its_own() -> None:
    rooms = {p.parent.name for p in (REPOSITORY / "dlutil_core").glob("*/__init__.py")}
    elsewhere = {"verify"}  # it runs the workflow: tests/verify
    assert not [r for r in rooms - elsewhere if not units_of([f"dlutil_core/{r}/x.py"])]
