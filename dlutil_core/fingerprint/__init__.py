"""What of `def.py` each stage reaches, as a hash, found without running the file.

Snakemake decides what to run when it builds the DAG, so the part of `def.py` that training,
testing and predicting depend on must be known before any of it runs. This package reads the syntax
trees of `def.py` and of the modules beside it that it imports, follows names from the functions
that a stage calls, and hashes what it reaches. Where names cannot be followed (`exec`, star
imports, …) all stages share one hash of everything. Whatever is in doubt belongs to every stage:
too much merely repeats work, too little would keep a stale result.

============== =====================================================================
`trees`        a syntax tree as canonical text; names that a statement binds and reads
`units`        module-level statements, and which of them act when they run
`dynamic`      code whose names cannot be followed; environment variables
`search_path`  the value of what is added to `sys.path`
`sources`      reading files, finding the local modules that they import
`stages`       what a stage reaches
`definition`   `analyse` and `require`
============== =====================================================================
"""

from dlutil_core.fingerprint.definition import SIGNATURES, Definition, analyse, require
from dlutil_core.fingerprint.stages import ROOTS

__all__ = ["ROOTS", "SIGNATURES", "Definition", "analyse", "require"]
