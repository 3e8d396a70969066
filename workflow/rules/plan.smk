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
        script=script("plan", TRAIN_ARGUMENTS),
        identity=RUN.identity("plan"),
        search=RUN.plan_arguments(),
    message:
        "Planning the search and sampling its trials"
    shell:
        "{params.script} {params.search} --out {output:q} --log {log:q}"
