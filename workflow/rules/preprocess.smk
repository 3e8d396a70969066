# Raw files to HDF5: one job for all labelled sets (of a fold), since splits and the search for
# duplicates cross them, and one for each set to predict, so that one that is added is encoded alone.

import re

if data_parts.MAIN in DATA_PARTS:

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


if FOLD_FILES:

    rule preprocess_fold:
        input:
            fold_flag,
            raw=raw_files(data_parts.main_part(0)),
        output:
            update(in_data(FOLD_FILES)),
        log:
            f"{RESULT}/logs/preprocess/fold-{{fold}}.log",
        conda:
            ENVIRONMENT
        params:
            script=fold_script,
        message:
            "Encoding the data of fold {wildcards.fold}"
        shell:
            "{params.script} --log={log:q}"


if SETS_APART:

    rule preprocess_set:
        input:
            set_flag,
            raw=set_files,
            encoding=made(in_data([data_parts.encoding_file(RUN.section)])),
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
