# What the best model saw in sequences: attributions, and the motifs of its first filters.

from dlutil_core.run.run_config import EXPLAIN_FILES

EXPLAIN = CFG["explain"]
STAGE = RUN.explained_stage


rule explain:
    input:
        model=f"{RESULT}/best/model.pt",
        definition=ancient(DEFINITION),
        data=ancient(data_files(RUN.stage_files(STAGE))),
        digests=digests(RUN.stage_files(STAGE)),
        motifs=EXPLAIN["motifs"] or [],
    output:
        examples=report(
            f"{RESULT}/explain/examples.svg",
            caption="../report/examples.rst",
            category="What the model saw",
            labels={"shows": "sequences"},
        ),
        filters=report(
            f"{RESULT}/explain/filters.svg",
            caption="../report/filters.rst",
            category="What the model saw",
            labels={"shows": "motifs of the filters"},
        ),
        files=[f"{RESULT}/explain/{name}" for name in EXPLAIN_FILES],
    log:
        f"{RESULT}/logs/explain.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=GPUS,
    params:
        script=script("attribute", RUN.arguments(STAGE)),
        identity=RUN.identity(STAGE),
        options=RUN.explain_arguments(),
        motifs=lambda _, input: f"--motifs={input.motifs}" if input.motifs else "",
        out=subpath(output.examples, parent=True),
    message:
        "Explaining what the best model saw"
    shell:
        "{params.script} --model {input.model:q} --digests {input.digests:q} {params.options}"
        " {params.motifs:q} --out {params.out:q} --log {log:q}"
