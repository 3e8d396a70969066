"""What a job's process is told by its environment, so that it is the same on any machine.

The order of sets and the encoding of files are fixed, and numerical libraries have as many threads
as a trial. Snakemake gives them as many as the job has cores: sums would be added in another order
on another number of cores, and a definition's own `@` would give other bits.
"""

from __future__ import annotations

THREADS = (
    *(f"{name}_NUM_THREADS" for name in ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")),
    "VECLIB_MAXIMUM_THREADS",
)
"""The variables that Snakemake sets for this; libraries read them when they are loaded."""


def job_variables(threads: int) -> dict[str, str]:
    """The variables of a job whose trials have this many threads."""
    return {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"} | dict.fromkeys(THREADS, str(threads))
