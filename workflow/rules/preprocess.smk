# Raw files to HDF5. One rule for all sets, since splits and the search for duplicates cross them.

import json

from dlutil_core.preprocess import plan as preprocess_plan

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
            # functions, since Snakemake would take {data} in the section for a wildcard
            section=lambda _: "--section=" + json.dumps(CFG["preprocess"], sort_keys=True),
            seed=lambda _: f"--seed={CFG['seed']}",
            data=lambda _: f"--data={DATA}",
        shell:
            "{PYTHON} {SCRIPTS}/preprocess.py {params.section:q} {params.data:q} {params.seed:q}"
            " --log {log:q}"
