# Hyperband, one job per bracket; a rung's trials run side by side on the job's threads.


rule bracket:
    input:
        plan=f"{RESULT}/search/plan.json",
        definition=ancient(DEFINITION),
        data=ancient(data_files(RUN.stage_files("train"))),
        digests=digests(RUN.stage_files("train")),
    output:
        f"{RESULT}/search/bracket-{{bracket}}/leaderboard.csv",
        f"{RESULT}/search/bracket-{{bracket}}/history.csv",
        f"{RESULT}/search/bracket-{{bracket}}/best.pt",
        f"{RESULT}/search/bracket-{{bracket}}/network.csv",
    log:
        f"{RESULT}/logs/bracket-{{bracket}}.log",
    conda:
        ENVIRONMENT
    threads: SIZES.bracket_threads(None if SIZES.on_cluster else workflow.resource_settings.cores)
    resources:
        mem_mb=memory,
        runtime=lambda wildcards, attempt, threads: SIZES.runtime(
            attempt, threads, SIZES.bracket_epochs(int(wildcards.bracket))
        ),
        gpu=GPUS,
        cpus_per_task=lambda _, threads: threads,
    params:
        script=script("bracket", TRAIN_ARGUMENTS),
        identity=RUN.identity("train"),
        out=subpath(output[0], parent=True),
    message:
        "Training bracket {wildcards.bracket}"
    shell:
        "{params.script} --plan {input.plan:q}"
        " --digests {input.digests:q} --bracket {wildcards.bracket} --cores {threads}"
        " --out {params.out:q} --log {log:q}"
