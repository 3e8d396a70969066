"""How many threads numerical libraries have in a job: as many as a trial, on any number of cores.

Snakemake tells a job's libraries to use all cores that it was given. Sums are then added in another
order on another number of cores, and a definition's own `@` gives other bits.
"""

from __future__ import annotations

NAMES = (
    *(f"{name}_NUM_THREADS" for name in ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")),
    "VECLIB_MAXIMUM_THREADS",
)
"""The variables that Snakemake sets for this; libraries read them when they are loaded."""


def thread_variables(threads: int) -> dict[str, str]:
    """The variables of a job whose trials have this many threads."""
    return dict.fromkeys(NAMES, str(threads))
