# A linear model on the same split, whose numbers stand beside the network's.


rule baseline:
    input:
        flag("baseline"),
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        train=data_files(RUN.files.awaited("train")),
        test=data_files(RUN.files.awaited("test")),
    output:
        update(results(result_files.BASELINE_FILES)),
    log:
        f"{RESULT}/logs/baseline.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        script=script("baseline", request_of("baseline"), arguments.baseline_arguments(RUN)),
        out=subpath(output[0], parent=True),
    message:
        "Fitting a baseline"
    shell:
        "{params.script} --out={params.out:q} --log={log:q}"
