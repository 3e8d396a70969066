# What the best model saw in sequences: attributions, and the motifs of its first filters.

STAGE = RUN.explained_stage
FOLD = RUN.explained_fold
MOTIFS = CFG["explain"]["motifs"]


rule explain:
    input:
        flag("explain"),
        model=made(results(result_files.explained_files(RUN))),
        provenance=made_by("best", results(["best/provenance.json"])),
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        data=data_files(RUN.files_of(FOLD).awaited(STAGE)),
        motifs=unhurried([MOTIFS] if MOTIFS else []),
    output:
        examples=report(
            update(f"{RESULT}/explain/examples.svg"),
            caption="../report/examples.rst",
            category="What the model saw",
            labels={"shows": "sequences"},
        ),
        filters=report(
            update(f"{RESULT}/explain/filters.svg"),
            caption="../report/filters.rst",
            category="What the model saw",
            labels={"shows": "motifs of the filters"},
        ),
        files=update([path for path in results(result_files.EXPLAIN_FILES) if path[-4:] != ".svg"]),
    log:
        f"{RESULT}/logs/explain.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=GPUS,
    params:
        script=script(
            "attribute",
            request_of("explain"),
            arguments.run_arguments(RUN, STAGE, FOLD),
        ),
        options=arguments.explain_arguments(RUN),
        models=listed(results(result_files.explained_files(RUN))),
        out=subpath(output.examples, parent=True),
    message:
        "Explaining what the best model saw"
    shell:
        "{params.script} --model {params.models:q} {params.options}"
        " --out={params.out:q} --log={log:q}"
