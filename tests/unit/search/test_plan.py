"""The plan against the formulas of Li et al. 2018, JMLR 18(185), algorithm 1."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.search.plan import fixed, hyperband, rounded_quotient


def s_max_of(R: int, eta: int) -> int:
    """`floor(log_eta(R))`, as the paper has it, with whole numbers."""
    return max(s for s in range(R.bit_length() + 1) if eta**s <= R)


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
def test_brackets_and_rungs_are_the_papers(eta: int) -> None:
    for R in range(1, 1001):
        plan = hyperband(R, eta)
        s_max = s_max_of(R, eta)
        B = (s_max + 1) * R
        assert [b.number for b in plan.brackets] == list(range(s_max, -1, -1))
        for bracket in plan.brackets:
            s = bracket.number
            n = ceil(Fraction(B, R) * Fraction(eta**s, s + 1))
            r = Fraction(R, eta**s)
            assert len(bracket.rungs) == s + 1
            for i, rung in enumerate(bracket.rungs):
                assert rung.trials == floor(Fraction(n, eta**i)), (R, eta, s, i)
                # Whole epochs: the nearest number to r_i, halves upward.
                assert rung.budget == floor(r * eta**i + Fraction(1, 2)), (R, eta, s, i)
            assert bracket.rungs[-1].budget == R


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
def test_every_plan_can_be_run(eta: int) -> None:
    for R in range(1, 1001):
        plan = hyperband(R, eta)
        first = 0
        for bracket in plan.brackets:
            assert list(bracket.trials) == list(range(first, first + bracket.rungs[0].trials))
            first += bracket.rungs[0].trials
            sizes = [rung.trials for rung in bracket.rungs]
            epochs = [rung.budget for rung in bracket.rungs]
            assert sizes == sorted(sizes, reverse=True) and sizes[-1] >= 1
            assert epochs == sorted(set(epochs)) and epochs[0] >= 1
        assert plan.trial_count == first


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
def test_a_larger_search_begins_with_the_smaller_ones_trials(eta: int) -> None:
    """Numbers run through the whole search, and there are never fewer of them."""
    trials = [hyperband(R, eta).trial_count for R in range(1, 1001)]
    assert trials == sorted(trials)


def test_exact_powers_have_all_their_brackets() -> None:
    """The floating-point logarithm of 243 to base 3 is 4.999…: a bracket too few."""
    assert len(hyperband(243, 3).brackets) == 6
    assert len(hyperband(125, 5).brackets) == 4
    assert len(hyperband(242, 3).brackets) == 5
    for eta in (2, 3, 4, 5, 10):
        for s in range(30):
            assert len(hyperband(eta**s, eta).brackets) == s + 1


def test_the_plan_of_81_epochs() -> None:
    """By the formulas; the paper's table 1 prints 27, 9 and 6 for n_0 of brackets 3, 2 and 1."""
    table = {
        4: [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        3: [(34, 3), (11, 9), (3, 27), (1, 81)],
        2: [(15, 9), (5, 27), (1, 81)],
        1: [(8, 27), (2, 81)],
        0: [(5, 81)],
    }
    plan = hyperband(81, 3)
    assert {b.number: [(r.trials, r.budget) for r in b.rungs] for b in plan.brackets} == table
    assert sum(len(rungs) for rungs in table.values()) == 15
    assert sum(r.trials for b in plan.brackets for r in b.rungs) == 206


def test_epochs_are_those_that_are_trained() -> None:
    plan = hyperband(9, 3)
    assert plan.epochs == (9 * 1 + 3 * 2 + 1 * 6) + (5 * 3 + 1 * 6) + 3 * 9


def test_one_configuration() -> None:
    plan = fixed(12)
    assert plan.trial_count == 1
    assert plan.epochs == 12


def test_halves_are_rounded_upward() -> None:
    assert [rounded_quotient(n, 2) for n in range(6)] == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    "max_epochs, eta, sentence",
    [
        (0, 3, "max_epochs is 0, but must be a whole number of at least 1"),
        (2.5, 3, "max_epochs is 2.5, but must be a whole number of at least 1"),
        (True, 3, "max_epochs is True, but must be a whole number of at least 1"),
        (9, 1, "eta is 1, but must be a whole number of at least 2"),
        (9, "3", "eta is '3', but must be a whole number of at least 2"),
    ],
)
def test_what_is_refused(max_epochs: int, eta: int, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        hyperband(max_epochs, eta)
    assert str(caught.value) == sentence


def test_an_unknown_bracket_is_refused() -> None:
    with pytest.raises(UserError, match="no bracket 7"):
        hyperband(9).bracket(7)
