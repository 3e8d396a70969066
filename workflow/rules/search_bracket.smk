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
    log:
        f"{RESULT}/logs/bracket-{{bracket}}.log",
    threads: max(1, (workflow.cores or len(BRACKETS)) // len(BRACKETS))
    params:
        identity=RUN.identity("train"),
        out=subpath(output[0], parent=True),
    message:
        "Training bracket {wildcards.bracket}"
    shell:
        "{PYTHON} {SCRIPTS}/bracket.py {TRAIN_ARGUMENTS} --plan {input.plan:q}"
        " --digests {input.digests:q} --bracket {wildcards.bracket} --cores {threads}"
        " --out {params.out:q} --log {log:q}"
