"""Search spaces that every contestant is told in its own words: dlutil, Optuna and BOHB."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, of equal density, or of equal density of their logarithms."""

    low: float
    high: float
    log: bool = False

    def draw(self) -> float:
        """A number by the generator that dlutil seeds."""
        if self.log:
            return 10 ** random.uniform(math.log10(self.low), math.log10(self.high))
        return random.uniform(self.low, self.high)

    def suggest(self, trial: Any, name: str) -> float:
        """A number of an Optuna trial."""
        found: float = trial.suggest_float(name, self.low, self.high, log=self.log)
        return found

    def parameter(self, name: str) -> Any:
        """The parameter of a `ConfigSpace`."""
        from ConfigSpace import UniformFloatHyperparameter

        return UniformFloatHyperparameter(name, self.low, self.high, log=self.log)

    def value(self, told: Any) -> float:
        """What the value of a `ConfigSpace` means."""
        return float(told)


@dataclass(frozen=True)
class Values:
    """A few values; where they are ordered, peers are told so: they choose by place."""

    values: tuple[Any, ...]
    ordered: bool = True

    def draw(self) -> Any:
        """A value by the generator that dlutil seeds."""
        return random.choice(self.values)

    def suggest(self, trial: Any, name: str) -> Any:
        """A value of an Optuna trial."""
        if self.ordered:
            return self.values[trial.suggest_int(name, 0, len(self.values) - 1)]
        return trial.suggest_categorical(name, self.values)

    def parameter(self, name: str) -> Any:
        """The parameter of a `ConfigSpace`."""
        from ConfigSpace import CategoricalHyperparameter, UniformIntegerHyperparameter

        if self.ordered:
            return UniformIntegerHyperparameter(name, 0, len(self.values) - 1)
        return CategoricalHyperparameter(name, range(len(self.values)))

    def value(self, told: Any) -> Any:
        """What the value of a `ConfigSpace` means."""
        return self.values[int(told)]


Space = Mapping[str, Range | Values]


def drawn(space: Space) -> dict[str, Any]:
    """A configuration at random, as `get_config` gives it."""
    return {name: domain.draw() for name, domain in space.items()}
