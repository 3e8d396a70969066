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
    params:
        identity=RUN.identity("test"),
        out=f"{RESULT}/test",
    message:
        "Testing the best model"
    shell:
        "{PYTHON} {SCRIPTS}/evaluate.py {TEST_ARGUMENTS} --model {input.model:q}"
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
    params:
        out=subpath(output[0], parent=True),
    message:
        "Drawing the test results"
    shell:
        "{PYTHON} {SCRIPTS}/plot.py --outputs {input:q} --out {params.out:q} --log {log:q}"
