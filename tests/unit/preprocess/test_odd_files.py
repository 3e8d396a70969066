"""Some valid odd tables against a slow plain reader; `make fuzz` tries thousands."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))

import valid_tables
from valid_checks import check


def test_odd_tables_are_read_as_the_plain_reader_reads_them() -> None:
    outcomes: Counter[str] = Counter()

    @given(valid_tables.any_case, st.sampled_from([9, 200, 1 << 19]))
    @settings(
        max_examples=50,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def compare(case: valid_tables.Case, block: int) -> None:
        outcomes[check(case, block)] += 1

    logging.disable(logging.CRITICAL)
    try:
        compare()
    finally:
        logging.disable(logging.NOTSET)
    assert {"features", "targets", "table", "bed"} <= set(outcomes)
    assert sum(n for kind, n in outcomes.items() if "refused" in kind) <= 5
