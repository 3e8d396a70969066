# Predictions of each file, one job each, so that an added file is predicted alone.


rule predict:
    input:
        model=f"{RESULT}/best/model.pt",
        definition=ancient(DEFINITION),
        data=ancient(f"{DATA}/{{subpath}}"),
        digest=f"{RESULT}/digests/{{subpath}}.sha256",
    output:
        array=f"{RESULT}/predictions/{{subpath}}.npy",
        table=f"{RESULT}/predictions/{{subpath}}.tsv",
    log:
        f"{RESULT}/logs/predict/{{subpath}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=GPUS,
    params:
        script=script("predict", PREDICT_ARGUMENTS),
        identity=RUN.identity("predict"),
    message:
        "Predicting {wildcards.subpath}"
    shell:
        "{params.script} --model {input.model:q}"
        " --subpath {wildcards.subpath:q} --out {output.array:q} --log {log:q}"
