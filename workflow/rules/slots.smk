# Which slots of a rung are trained together, and the files that they leave.

SLOTS = f"{RESULT}/search/slots/bracket-{{bracket}}/rung-{{rung}}"


def ranking_before(wildcards):
    rung = int(wildcards.rung)
    folder = f"{RESULT}/search/slots/bracket-{wildcards.bracket}"
    return [f"{folder}/rung-{rung - 1}.json"] if rung else []


def jobs_of_rung(wildcards):
    folder = f"{RESULT}/search/slots/bracket-{wildcards.bracket}/rung-{wildcards.rung}"
    jobs = SIZES.slots(int(wildcards.bracket), int(wildcards.rung))
    return [f"{folder}/{job}.json" for job in range(len(jobs))]


def slots_of_job(wildcards):
    return SIZES.slots(int(wildcards.bracket), int(wildcards.rung))[int(wildcards.job)]


def epochs_of_job(wildcards):
    epochs = SIZES.epochs(int(wildcards.bracket), int(wildcards.rung))
    return epochs * len(slots_of_job(wildcards))


def last_ranking(wildcards):
    last = len(BRACKETS[int(wildcards.bracket)].rungs) - 1
    return f"{RESULT}/search/slots/bracket-{wildcards.bracket}/rung-{last}.json"
