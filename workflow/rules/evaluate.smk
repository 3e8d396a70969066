# The best model on held-out data.


rule evaluate:
    input:
        model=f"{RESULT}/best/model.pt",
        definition=ancient(DEFINITION),
        data=ancient(data_files(RUN.stage_files("test"))),
        digests=digests(RUN.stage_files("test")),
    output:
        f"{RESULT}/test/metrics.json",
        f"{RESULT}/test/outputs.npz",
        f"{RESULT}/test/provenance.json",
    log:
        f"{RESULT}/logs/evaluate.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=GPUS,
    params:
        script=script("evaluate", TEST_ARGUMENTS),
        identity=RUN.identity("test"),
        out=subpath(output[0], parent=True),
    message:
        "Testing the best model"
    shell:
        "{params.script} --model {input.model:q}"
        " --digests {input.digests:q} --out {params.out:q} --log {log:q}"


rule plot:
    input:
        f"{RESULT}/test/outputs.npz",
    output:
        performance=report(
            f"{RESULT}/test/performance.svg",
            caption="../report/performance.rst",
            category="Test",
            labels={"shows": "performance"},
        ),
        errors=report(
            f"{RESULT}/test/errors.svg",
            caption="../report/errors.rst",
            category="Test",
            labels={"shows": "errors"},
        ),
        intervals=f"{RESULT}/test/intervals.json",
    log:
        f"{RESULT}/logs/plot.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("plot"),
        out=subpath(output[0], parent=True),
    message:
        "Drawing the test results"
    shell:
        "{params.script} --outputs {input:q} --out {params.out:q} --log {log:q}"
