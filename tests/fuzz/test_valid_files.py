"""Valid odd files give the arrays that a slow plain reader gives, or are refused as ambiguous."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pytest
import valid_tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from valid_checks import check

OUTCOMES: Counter[str] = Counter()
EXAMPLES = 10 * settings().max_examples
"""5,000 in the profile `fuzz`."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@given(valid_tables.any_case, st.sampled_from([9, 200, 1 << 19]))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_valid_tables_are_read_as_the_plain_reader_reads_them(
    case: valid_tables.Case, block: int
) -> None:
    OUTCOMES[check(case, block)] += 1


def test_few_of_them_are_refused() -> None:
    """The files are made to be valid; those with two meanings are the exception."""
    refused = sum(count for kind, count in OUTCOMES.items() if kind.endswith("refused"))
    print(dict(OUTCOMES))
    assert refused <= 0.1 * sum(OUTCOMES.values()), OUTCOMES
