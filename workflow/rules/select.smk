# The best model of all brackets, and the end of the search.


rule select:
    input:
        plan=f"{RESULT}/search/plan.json",
        brackets=expand(
            f"{RESULT}/search/bracket-{{bracket}}/{{name}}",
            bracket=BRACKETS,
            name=["leaderboard.csv", "history.csv", "best.pt"],
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
        folders=[f"{RESULT}/search/bracket-{bracket}" for bracket in BRACKETS],
        out=f"{RESULT}/best",
    message:
        "Picking the best model"
    shell:
        "{PYTHON} {SCRIPTS}/select.py {TRAIN_ARGUMENTS} --plan {input.plan:q}"
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
        keep=f"keep_checkpoints={KEEP}",
    message:
        "Removing checkpoints that are not to be kept"
    shell:
        "{PYTHON} {SCRIPTS}/prune.py --trials {RESULT}/search/trials --plan {input.plan:q}"
        " --leaderboard {input.leaderboard:q} --keep {KEEP} --out {output:q} --log {log:q}"
