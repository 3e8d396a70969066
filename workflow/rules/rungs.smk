# The jobs of brackets and rungs: what they need, what they ask for, and the files that they leave.

# A stage of a staged search is a bracket by another name, which needs the stages before.
KIND = RUN.plan.kind
SLOTS = f"{RESULT}/search/slots/{KIND}-{{bracket}}/rung-{{rung}}"
PART = f"{RESULT}/search/{KIND}-{{bracket}}"
# The first stages are one job, where brackets are jobs; the other ones have jobs of their own.
OPENING = SIZES.opening
APART = "|".join(str(number) for number in BRACKETS if number not in OPENING) or "none"
TRAIN_ARGUMENTS = arguments.run_arguments(RUN, "train")
BRACKET_THREADS = SIZES.trial_threads
if JOBS == "bracket" or SIZES.on_cluster:
    BRACKET_THREADS = SIZES.bracket_threads(
        None if SIZES.on_cluster else workflow.resource_settings.cores
    )


def bracket_flag(wildcards):
    return flag(f"{KIND}-{wildcards.bracket}")


def bracket_request(wildcards):
    return request_of(f"{KIND}-{wildcards.bracket}")


def stages_before(wildcards):
    """What the training of a stage needs; nothing for a bracket of Hyperband."""
    return made(results(result_files.needed_before(RUN.plan, int(wildcards.bracket))))


def bracket_minutes(wildcards, attempt, threads):
    epochs = 0 if JOBS == "trial" else SIZES.bracket_epochs(int(wildcards.bracket))
    return SIZES.runtime(attempt, threads, epochs)


def last_ranking(wildcards):
    """The ranking that a bracket ends with, where trials are jobs of their own and it is to run."""
    if JOBS != "trial" or not stale(f"{KIND}-{wildcards.bracket}"):
        return []
    last = len(BRACKETS[int(wildcards.bracket)].rungs) - 1
    return [f"{RESULT}/search/slots/{KIND}-{wildcards.bracket}/rung-{last}.json"]


def ranking_before(wildcards):
    rung = int(wildcards.rung)
    folder = f"{RESULT}/search/slots/{KIND}-{wildcards.bracket}"
    return [f"{folder}/rung-{rung - 1}.json"] if rung else []


def jobs_of_rung(wildcards):
    folder = f"{RESULT}/search/slots/{KIND}-{wildcards.bracket}/rung-{wildcards.rung}"
    jobs = SIZES.slots(int(wildcards.bracket), int(wildcards.rung))
    return [f"{folder}/{job}.json" for job in range(len(jobs))]


def slots_of_job(wildcards):
    return SIZES.slots(int(wildcards.bracket), int(wildcards.rung))[int(wildcards.job)]


def slots_request(wildcards):
    return STEPS.slot(int(wildcards.bracket), int(wildcards.rung), int(wildcards.job))


def slots_flag(wildcards):
    return flag_of(slots_request(wildcards))


def ranking_request(wildcards):
    return STEPS.ranking(int(wildcards.bracket), int(wildcards.rung))


def ranking_flag(wildcards):
    return flag_of(ranking_request(wildcards))


def epochs_of_job(wildcards):
    epochs = SIZES.epochs(int(wildcards.bracket), int(wildcards.rung))
    return epochs * len(slots_of_job(wildcards))


def propose_request(wildcards):
    return request_of(f"propose-{wildcards.bracket}")


def propose_flag(wildcards):
    return flag(f"propose-{wildcards.bracket}")


def results_before(wildcards):
    return made(results(result_folder.stages_before(int(wildcards.bracket))))


def opening_steps():
    """The steps of the opening in their order."""
    return [f"{kind}-{number}" for number in OPENING for kind in ("propose", KIND)]


def opening_minutes(wildcards, attempt, threads):
    return SIZES.runtime(attempt, threads, sum(map(SIZES.bracket_epochs, OPENING)))
