# One job per slot of a rung, or for several slots where the rung is short. Which trial
# fills a promoted slot is found when its job runs, in the ranking of the rung before; the graph itself
# is known beforehand.


rule trial:
    input:
        slots_flag,
        plan=made_by("plan", results(["search/plan.json"])),
        before=stages_before,
        ranking=ranking_before,
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        data=data_files(RUN.files.awaited("train")),
    output:
        update(f"{SLOTS}/{{job}}.json"),
    log:
        f"{RESULT}/logs/trials/{KIND}-{{bracket}}/rung-{{rung}}/{{job}}.log",
    benchmark:
        f"{BENCHMARKS}/{KIND}-{{bracket}}/rung-{{rung}}/{{job}}.tsv"
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
        script=script("train_slots", slots_request, TRAIN_ARGUMENTS),
        measured=f"{BENCHMARKS}/{KIND}-{{bracket}}/rung-{{rung}}/{{job}}.tsv",
        slots=lambda wildcards: "--slots {0.start} {0.stop}".format(slots_of_job(wildcards)),
        ranking=lambda _, input: (
            f"--ranking={shlex.quote(str(input.ranking))}" if input.ranking else ""
        ),
    message:
        f"Training job {{wildcards.job}} of rung {{wildcards.rung}}, {KIND} {{wildcards.bracket}}"
    shell:
        "{params.script} --plan={input.plan:q} {params.ranking}"
        " --bracket={wildcards.bracket} --rung={wildcards.rung}"
        " {params.slots} --cores={threads} --out={output:q} --measured={params.measured:q}"
        " --log={log:q}"


rule ranking:
    input:
        ranking_flag,
        plan=made_by("plan", results(["search/plan.json"])),
        before=stages_before,
        slots=jobs_of_rung,
    output:
        update(f"{SLOTS}.json"),
    log:
        f"{RESULT}/logs/trials/{KIND}-{{bracket}}/rung-{{rung}}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("rank", ranking_request),
        slots=lambda _, input: listed(input.slots),
    message:
        f"Ranking rung {{wildcards.rung}} of {KIND} {{wildcards.bracket}}"
    shell:
        "{params.script} --plan={input.plan:q} --bracket={wildcards.bracket}"
        " --rung={wildcards.rung} --out={output:q} --log={log:q} --slots {params.slots:q}"
