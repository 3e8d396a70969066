# Files from a storage, through Snakemake's storage plugins: the address tells which plugin. Whether a
# file there has changed, Snakemake tells by its time; another address is another file.

import re

if FETCHED:

    rule fetch:
        input:
            fetch_flag,
            file=fetched_file,
        output:
            "{path}",
        log:
            f"{RESULT}/logs/fetch/{{path}}.log",
        wildcard_constraints:
            path="|".join(map(re.escape, FETCHED)),
        conda:
            ENVIRONMENT
        params:
            script=script("fetch", fetch_request),
        message:
            "Fetching {wildcards.path}"
        shell:
            "{params.script} --file={input.file:q} --out={output:q} --log={log:q}"
