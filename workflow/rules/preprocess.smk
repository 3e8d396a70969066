# Raw files to HDF5: one job for all labelled sets, since splits and the search for duplicates cross
# them, and one for each set to predict, so that one that is added is encoded alone.

import re

if DATA_PARTS:

    rule preprocess:
        input:
            flag("preprocess"),
            raw=raw_files("preprocess"),
        output:
            update(in_data(DATA_PARTS["preprocess"].outputs)),
        log:
            f"{RESULT}/logs/preprocess.log",
        conda:
            ENVIRONMENT
        params:
            script=script(
                "preprocess",
                request_of("preprocess"),
                arguments.data_arguments(RUN, "preprocess"),
            ),
        message:
            "Encoding the data"
        shell:
            "{params.script} --log={log:q}"


if len(DATA_PARTS) > 1:

    rule preprocess_set:
        input:
            set_flag,
            raw=set_files,
            encoding=made_by("preprocess", in_data([data_parts.ENCODING])),
        output:
            update(f"{DATA}/{{set}}.h5"),
            update(f"{DATA}/{{set}}.stats.json"),
        log:
            f"{RESULT}/logs/preprocess/{{set}}.log",
        wildcard_constraints:
            set="|".join(re.escape(name) for name in SETS_APART),
        conda:
            ENVIRONMENT
        params:
            script=set_script,
        message:
            "Encoding {wildcards.set}"
        shell:
            "{params.script} --log={log:q}"
