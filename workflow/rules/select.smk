# The best model of all brackets, and the end of the search.


rule select:
    input:
        plan=f"{RESULT}/search/plan.json",
        brackets=expand(
            f"{RESULT}/search/bracket-{{bracket}}/{{name}}",
            bracket=BRACKETS,
            name=["leaderboard.csv", "history.csv", "best.pt", "network.csv"],
        ),
        digests=digests(RUN.stage_files("train")),
    output:
        [f"{RESULT}/best/{name}" for name in BEST_FILES],
    log:
        f"{RESULT}/logs/select.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("select_best", TRAIN_ARGUMENTS),
        folders=[f"{RESULT}/search/bracket-{bracket}" for bracket in BRACKETS],
        out=subpath(output[0], parent=True),
    message:
        "Picking the best model"
    shell:
        "{params.script} --plan {input.plan:q}"
        " --brackets {params.folders:q} --digests {input.digests:q} --out {params.out:q}"
        " --log {log:q}"


rule prune:
    input:
        plan=f"{RESULT}/search/plan.json",
        leaderboard=f"{RESULT}/best/leaderboard.csv",
    output:
        f"{RESULT}/logs/pruned.txt",
    log:
        f"{RESULT}/logs/prune.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("prune"),
        keep=KEEP,
        trials=lambda _, input: f"{RESULT}/search/trials",
    message:
        "Removing checkpoints that are not to be kept"
    shell:
        "{params.script} --trials {params.trials:q} --plan {input.plan:q}"
        " --leaderboard {input.leaderboard:q} --keep {params.keep} --out {output:q} --log {log:q}"
