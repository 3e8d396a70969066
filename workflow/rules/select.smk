# The best model of all brackets, and the end of the search.


rule select:
    input:
        flag("best"),
        plan=made_by("plan", results(["search/plan.json"])),
        brackets=made(results(result_files.search_files(RUN)[1:])),
        encoding=made(in_data(kept_encoding.told_files(RUN.section))),
        raw=unhurried(kept_encoding.needed_files(RUN.section)),
    output:
        update(results(result_folder.BEST_FILES)),
    log:
        f"{RESULT}/logs/select.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script(
            "select_best",
            request_of("best"),
            f"{TRAIN_ARGUMENTS} {arguments.encoding_arguments(RUN)}",
        ),
        folders=listed(results([f"search/{step}" for step in RUN.plan.steps])),
        out=subpath(output[0], parent=True),
    message:
        "Picking the best model"
    shell:
        "{params.script} --plan={input.plan:q} --out={params.out:q} --log={log:q}"
        " --brackets {params.folders:q}"


if PRUNED:

    rule prune:
        input:
            flag("prune"),
            plan=made_by("plan", results(["search/plan.json"])),
            leaderboard=made_by("best", results(["best/leaderboard.csv"])),
        output:
            update(PRUNED),
        log:
            f"{RESULT}/logs/prune.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            script=script("prune", request_of("prune")),
            keep=KEEP,
            trials=lambda _, input: f"{RESULT}/search/trials",
        message:
            "Removing checkpoints that are not to be kept"
        shell:
            "{params.script} --trials={params.trials:q} --plan={input.plan:q}"
            " --leaderboard={input.leaderboard:q} --keep={params.keep} --out={output:q}"
            " --log={log:q}"
