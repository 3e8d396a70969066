# Predictions of each file, one job each, so that an added file is predicted alone.


rule predict:
    input:
        predict_flag,
        model=made(results(result_files.model_files(RUN))),
        provenance=made_by("best", results(["best/provenance.json"])),
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        data=predicted_file,
    output:
        array=update(f"{RESULT}/predictions/{{subpath}}.npy"),
        table=update(f"{RESULT}/predictions/{{subpath}}.tsv"),
    log:
        f"{RESULT}/logs/predict/{{subpath}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=GPUS,
    params:
        script=script("predict", predict_request, arguments.run_arguments(RUN, "predict")),
        models=listed(results(result_files.model_files(RUN))),
    message:
        "Predicting {wildcards.subpath}"
    shell:
        "{params.script} --model {params.models:q}"
        " --subpath={wildcards.subpath:q} --out={output.array:q} --log={log:q}"
