# Brackets and rungs, and every trial's configuration and seed.


rule plan:
    input:
        definition=ancient(DEFINITION),
    output:
        f"{RESULT}/search/plan.json",
    log:
        f"{RESULT}/logs/plan.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        identity=RUN.identity("plan"),
        search=RUN.plan_arguments(),
    message:
        "Planning the search and sampling its trials"
    shell:
        "{PYTHON} {SCRIPTS}/plan.py {TRAIN_ARGUMENTS} {params.search} --out {output:q} --log {log:q}"
