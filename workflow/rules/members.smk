# Members of the configuration that the search picked: other folds and other seeds, a job each, and what
# they show together.

MEMBERS = {member.name: member for member in RUN.repeat.members}


def member_of(wildcards):
    return MEMBERS[f"fold-{wildcards.fold}/seed-{wildcards.seed}"]


def member_request(wildcards):
    return request_of(member_of(wildcards).training_step)


def member_script(wildcards):
    member = member_of(wildcards)
    return script("train_member", member_request, arguments.member_arguments(RUN, member))(
        wildcards
    )


def data_of_member(wildcards, stage):
    return data_files(RUN.files_of(int(wildcards.fold)).awaited(stage))


def member_test_script(wildcards):
    member = member_of(wildcards)
    tested = arguments.evaluate_arguments(RUN, member.fold)
    return script("evaluate", request_of(member.test_step), tested)(wildcards)


rule member:
    input:
        lambda wildcards: flag(member_of(wildcards).training_step),
        picked=made(results(result_files.picked_files(RUN))),
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        data=lambda wildcards: data_of_member(wildcards, "train"),
    output:
        update(f"{RESULT}/members/fold-{{fold}}/seed-{{seed}}/model.pt"),
        update(f"{RESULT}/members/fold-{{fold}}/seed-{{seed}}/history.csv"),
    log:
        f"{RESULT}/logs/members/fold-{{fold}}/seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/members/fold-{{fold}}/seed-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: SIZES.trial_threads
    resources:
        mem_mb=memory,
        runtime=lambda _, attempt, threads: SIZES.runtime(attempt, threads, RUN.plan.max_epochs),
        gpu=GPUS,
        cpus_per_task=lambda _, threads: threads,
    params:
        script=member_script,
        measured=f"{BENCHMARKS}/members/fold-{{fold}}/seed-{{seed}}.tsv",
        out=subpath(output[0], parent=True),
    message:
        "Training member {wildcards.seed} of fold {wildcards.fold}"
    shell:
        "{params.script} --out={params.out:q} --measured={params.measured:q} --log={log:q}"


if CFG["evaluate"]:

    rule test_member:
        input:
            lambda wildcards: flag(member_of(wildcards).test_step),
            model=lambda wildcards: made(results(member_of(wildcards).files(("model.pt",)))),
            provenance=made_by("best", results(["best/provenance.json"])),
            definition=unhurried([DEFINITION, *RUN.definition_files]),
            data=lambda wildcards: data_of_member(wildcards, "test"),
        output:
            update(f"{RESULT}/members/fold-{{fold}}/seed-{{seed}}/metrics.json"),
            update(f"{RESULT}/members/fold-{{fold}}/seed-{{seed}}/outputs.npz"),
            update(f"{RESULT}/members/fold-{{fold}}/seed-{{seed}}/provenance.json"),
        log:
            f"{RESULT}/logs/members/fold-{{fold}}/test-{{seed}}.log",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory,
            runtime=minutes,
            gpu=GPUS,
        params:
            script=member_test_script,
            out=subpath(output[0], parent=True),
        message:
            "Testing member {wildcards.seed} of fold {wildcards.fold}"
        shell:
            "{params.script} --model={input.model:q} --out={params.out:q} --log={log:q}"


rule members:
    input:
        flag("members/summary"),
        members=made(results(result_files.member_results(RUN))),
        picked=made(results(result_files.picked_files(RUN))),
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        tested=made(in_data(result_files.tested_files(RUN).values())),
    output:
        update(results(result_files.summary_files(RUN))),
    log:
        f"{RESULT}/logs/members/summary.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        script=script(
            "summarise_members",
            request_of("members/summary"),
            arguments.summary_arguments(RUN),
        ),
        members=list(MEMBERS),
    message:
        "Telling what all members show together"
    shell:
        "{params.script} --members {params.members:q} --log={log:q}"
