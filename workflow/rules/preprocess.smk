# Raw files to HDF5. One rule for all sets, since splits and the search for duplicates cross them.

import json

from dlutil_core.preprocess import section as preprocess_plan

PREPROCESSED = preprocess_plan.output_files(CFG["preprocess"])

if PREPROCESSED:

    rule preprocess:
        input:
            preprocess_plan.input_files(CFG["preprocess"]),
        output:
            [f"{DATA}/{name}" for name in PREPROCESSED],
        log:
            f"{RESULT}/logs/preprocess.log",
        conda:
            ENVIRONMENT
        params:
            script=script("preprocess"),
            # functions, since Snakemake would take {data} in the section for a wildcard
            section=lambda _: f"--section={json.dumps(CFG['preprocess'], sort_keys=True)}",
            seed=f"--seed={CFG['seed']}",
            data=f"--data={DATA}",
        shell:
            "{params.script} {params.section:q} {params.data:q} {params.seed:q}" " --log={log:q}"
