# Raw files to HDF5. One rule for all labelled sets, since splits and the search for duplicates cross
# them.

import json

from dlutil_core.preprocess import section

PREPROCESSED = section.output_files(CFG["preprocess"])

if PREPROCESSED:

    rule preprocess:
        input:
            flag("preprocess"),
            raw=unhurried(section.input_files(CFG["preprocess"])),
        output:
            update(in_data(PREPROCESSED)),
        log:
            f"{RESULT}/logs/preprocess.log",
        conda:
            ENVIRONMENT
        params:
            script=script("preprocess", request_of("preprocess"), arguments.data_arguments(RUN)),
        message:
            "Encoding the data"
        shell:
            "{params.script} --log={log:q}"
