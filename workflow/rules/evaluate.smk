# The best model on held-out data.

if CFG["evaluate"]:

    rule evaluate:
        input:
            flag("test"),
            model=made_by("best", results(["best/model.pt"])),
            provenance=made_by("best", results(["best/provenance.json"])),
            definition=unhurried([DEFINITION, *RUN.definition_files]),
            data=data_files(RUN.files.awaited("test")),
        output:
            update(results(result_files.TEST_FILES)),
        log:
            f"{RESULT}/logs/evaluate.log",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory,
            runtime=minutes,
            gpu=GPUS,
        params:
            script=script("evaluate", request_of("test"), arguments.evaluate_arguments(RUN)),
            out=subpath(output[0], parent=True),
        message:
            "Testing the best model"
        shell:
            "{params.script} --model={input.model:q} --out={params.out:q} --log={log:q}"

    rule plot:
        input:
            flag("figures"),
            metrics=made_by("test", results(["test/metrics.json"])),
            outputs=made_by("test", results(["test/outputs.npz"])),
        output:
            performance=report(
                update(f"{RESULT}/test/performance.svg"),
                caption="../report/performance.rst",
                category="Test",
                labels={"shows": "performance"},
            ),
            errors=report(
                update(f"{RESULT}/test/errors.svg"),
                caption="../report/errors.rst",
                category="Test",
                labels={"shows": "errors"},
            ),
            intervals=update(f"{RESULT}/test/intervals.json"),
        log:
            f"{RESULT}/logs/plot.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            script=script("plot", request_of("figures")),
            out=subpath(output[0], parent=True),
        message:
            "Drawing the test results"
        shell:
            "{params.script} --outputs={input.outputs:q} --out={params.out:q} --log={log:q}"
