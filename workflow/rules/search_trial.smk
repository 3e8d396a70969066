# Hyperband, one job per slot of a rung, or for several slots where the rung is short. Which trial
# fills a promoted slot is found when its job runs, in the ranking of the rung before; the graph itself
# is known beforehand.


include: "slots.smk"


rule trial:
    input:
        plan=f"{RESULT}/search/plan.json",
        ranking=ranking_before,
        definition=ancient(DEFINITION),
        data=ancient(data_files(RUN.stage_files("train"))),
        digests=digests(RUN.stage_files("train")),
    output:
        f"{SLOTS}/{{job}}.json",
    log:
        f"{RESULT}/logs/trials/bracket-{{bracket}}/rung-{{rung}}/{{job}}.log",
    conda:
        ENVIRONMENT
    threads: lambda wildcards: SIZES.slots_threads(len(slots_of_job(wildcards)))
    resources:
        mem_mb=memory,
        runtime=lambda wildcards, attempt, threads: SIZES.runtime(
            attempt, threads, epochs_of_job(wildcards)
        ),
        gpu=GPUS,
        cpus_per_task=lambda _, threads: threads,
    params:
        script=script("train_slots", TRAIN_ARGUMENTS),
        identity=RUN.identity("train"),
        slots=lambda wildcards: "--slots {0.start} {0.stop}".format(slots_of_job(wildcards)),
        ranking=lambda _, input: (
            f"--ranking {shlex.quote(str(input.ranking))}" if input.ranking else ""
        ),
    message:
        "Training job {wildcards.job} of rung {wildcards.rung}, bracket {wildcards.bracket}"
    shell:
        "{params.script} --plan {input.plan:q} {params.ranking}"
        " --digests {input.digests:q} --bracket {wildcards.bracket} --rung {wildcards.rung}"
        " {params.slots} --cores {threads} --out {output:q} --log {log:q}"


rule ranking:
    input:
        plan=f"{RESULT}/search/plan.json",
        slots=jobs_of_rung,
    output:
        f"{SLOTS}.json",
    log:
        f"{RESULT}/logs/trials/bracket-{{bracket}}/rung-{{rung}}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("rank"),
    message:
        "Ranking rung {wildcards.rung} of bracket {wildcards.bracket}"
    shell:
        "{params.script} --plan {input.plan:q} --bracket {wildcards.bracket}"
        " --rung {wildcards.rung} --slots {input.slots:q} --out {output:q} --log {log:q}"


# Finds every outcome in the trials' memos: the same script, and the same files, as a bracket's job.
rule bracket:
    input:
        plan=f"{RESULT}/search/plan.json",
        ranking=last_ranking,
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
    # A GPU, since outcomes on a GPU and on a CPU are not the same ones.
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=GPUS,
        cpus_per_task=lambda _, threads: threads,
    params:
        script=script("bracket", TRAIN_ARGUMENTS),
        identity=RUN.identity("train"),
        out=subpath(output[0], parent=True),
    message:
        "Collecting bracket {wildcards.bracket}"
    shell:
        "{params.script} --plan {input.plan:q}"
        " --digests {input.digests:q} --bracket {wildcards.bracket} --cores {threads}"
        " --out {params.out:q} --log {log:q}"
