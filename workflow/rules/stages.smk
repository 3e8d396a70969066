# What is of a staged search alone: what a stage tries, and the first stages, which are one job.


rule propose:
    input:
        propose_flag,
        plan=made_by("plan", results(["search/plan.json"])),
        draws=made_by("plan", results(["search/draws.json"])),
        before=results_before,
    output:
        update(f"{PART}/trials.json"),
    log:
        f"{RESULT}/logs/propose-{{bracket}}.log",
    wildcard_constraints:
        bracket=APART,
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("propose", propose_request),
    message:
        "Choosing what stage {wildcards.bracket} tries"
    shell:
        "{params.script} --plan={input.plan:q} --draws={input.draws:q} --stage={wildcards.bracket}"
        " --out={output:q} --log={log:q}"


if OPENING:

    rule opening:
        input:
            [path for step in opening_steps() for path in flag(step)],
            plan=made_by("plan", results(["search/plan.json"])),
            draws=made_by("plan", results(["search/draws.json"])),
            definition=unhurried([DEFINITION, *RUN.definition_files]),
            data=data_files(RUN.files.awaited("train")),
        output:
            [
                update(path)
                for number in OPENING
                for path in results(result_files.part_files(RUN.plan, BRACKETS[number]))
            ],
        log:
            f"{RESULT}/logs/opening.log",
        benchmark:
            f"{BENCHMARKS}/opening.tsv"
        conda:
            ENVIRONMENT
        threads: BRACKET_THREADS
        resources:
            mem_mb=memory,
            runtime=opening_minutes,
            gpu=GPUS,
            cpus_per_task=lambda _, threads: threads,
        params:
            script=scripts("opening", opening_steps(), TRAIN_ARGUMENTS),
            measured=f"{BENCHMARKS}/opening.tsv",
        message:
            f"Training stages 0 to {OPENING[-1]}"
        shell:
            "{params.script} --plan={input.plan:q} --draws={input.draws:q} --cores={threads}"
            " --measured={params.measured:q} --log={log:q}"
