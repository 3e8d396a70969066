# A job for each bracket or stage; a rung's trials run side by side on the job's threads. Where trials
# are jobs of their own it finds every outcome in their memos: the same script, and the same files.


rule bracket:
    input:
        bracket_flag,
        plan=made_by("plan", results(["search/plan.json"])),
        before=stages_before,
        ranking=last_ranking,
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        data=data_files(RUN.files.awaited("train")),
    output:
        update(f"{PART}/leaderboard.csv"),
        update(f"{PART}/history.csv"),
        update(f"{PART}/best.pt"),
        update(f"{PART}/network.csv"),
    log:
        f"{RESULT}/logs/{KIND}-{{bracket}}.log",
    benchmark:
        f"{BENCHMARKS}/{KIND}-{{bracket}}.tsv"
    wildcard_constraints:
        bracket=APART,
    conda:
        ENVIRONMENT
    threads: BRACKET_THREADS
    # A GPU also where it only collects, since outcomes on a GPU and on a CPU are not the same ones.
    resources:
        mem_mb=memory,
        runtime=bracket_minutes,
        gpu=GPUS,
        cpus_per_task=lambda _, threads: threads,
    params:
        script=script("bracket", bracket_request, TRAIN_ARGUMENTS),
        out=subpath(output[0], parent=True),
        measured=f"{BENCHMARKS}/{KIND}-{{bracket}}.tsv",
    message:
        f"Training {KIND} {{wildcards.bracket}}"
    shell:
        "{params.script} --plan={input.plan:q} --bracket={wildcards.bracket} --cores={threads}"
        " --out={params.out:q} --measured={params.measured:q} --log={log:q}"
