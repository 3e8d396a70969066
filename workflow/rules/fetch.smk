# Files from a storage, through Snakemake's storage plugins: the address tells which plugin.

import re

FETCHED = CFG["storage"]

if FETCHED:

    rule fetch:
        input:
            lambda wildcards: storage(FETCHED[wildcards.path]),
        output:
            "{path}",
        log:
            f"{RESULT}/logs/fetch/{{path}}.log",
        wildcard_constraints:
            path="|".join(map(re.escape, FETCHED)),
        conda:
            ENVIRONMENT
        message:
            "Fetching {wildcards.path}"
        shell:
            "cp -- {input:q} {output:q} 2> {log:q}"
