# Hyperband, one job per slot of a rung. Which trial fills a promoted slot is found when the slot
# runs, in the ranking of the rung before; the graph itself is known beforehand.

SLOTS = f"{RESULT}/search/slots/bracket-{{bracket}}/rung-{{rung}}"


def ranking_before(wildcards):
    rung = int(wildcards.rung)
    folder = f"{RESULT}/search/slots/bracket-{wildcards.bracket}"
    return [f"{folder}/rung-{rung - 1}.json"] if rung else []


def slots_of_rung(wildcards):
    rung = BRACKETS[int(wildcards.bracket)].rungs[int(wildcards.rung)]
    folder = f"{RESULT}/search/slots/bracket-{wildcards.bracket}/rung-{wildcards.rung}"
    return [f"{folder}/{slot}.json" for slot in range(rung.trials)]


def last_ranking(wildcards):
    last = len(BRACKETS[int(wildcards.bracket)].rungs) - 1
    return f"{RESULT}/search/slots/bracket-{wildcards.bracket}/rung-{last}.json"


rule trial:
    input:
        plan=f"{RESULT}/search/plan.json",
        ranking=ranking_before,
        definition=ancient(DEFINITION),
        data=ancient(data_files(RUN.stage_files("train"))),
        digests=digests(RUN.stage_files("train")),
    output:
        f"{SLOTS}/{{slot}}.json",
    log:
        f"{RESULT}/logs/trials/bracket-{{bracket}}/rung-{{rung}}/{{slot}}.log",
    threads: CFG["search"]["threads_per_trial"]
    params:
        identity=RUN.identity("train"),
        ranking=lambda _, input: f"--ranking {input.ranking}" if input.ranking else "",
    message:
        "Training slot {wildcards.slot} of rung {wildcards.rung}, bracket {wildcards.bracket}"
    shell:
        "{PYTHON} {SCRIPTS}/train_slot.py {TRAIN_ARGUMENTS} --plan {input.plan:q} {params.ranking}"
        " --digests {input.digests:q} --bracket {wildcards.bracket} --rung {wildcards.rung}"
        " --slot {wildcards.slot} --out {output:q} --log {log:q}"


rule ranking:
    input:
        plan=f"{RESULT}/search/plan.json",
        slots=slots_of_rung,
    output:
        f"{SLOTS}.json",
    log:
        f"{RESULT}/logs/trials/bracket-{{bracket}}/rung-{{rung}}.log",
    message:
        "Ranking rung {wildcards.rung} of bracket {wildcards.bracket}"
    shell:
        "{PYTHON} {SCRIPTS}/rank.py --plan {input.plan:q} --bracket {wildcards.bracket}"
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
    log:
        f"{RESULT}/logs/bracket-{{bracket}}.log",
    params:
        identity=RUN.identity("train"),
        out=subpath(output[0], parent=True),
    message:
        "Collecting bracket {wildcards.bracket}"
    shell:
        "{PYTHON} {SCRIPTS}/bracket.py {TRAIN_ARGUMENTS} --plan {input.plan:q}"
        " --digests {input.digests:q} --bracket {wildcards.bracket} --cores {threads}"
        " --out {params.out:q} --log {log:q}"
