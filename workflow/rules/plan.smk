# Brackets and rungs, and every trial's configuration and seed.


rule plan:
    input:
        flag("plan"),
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        data=data_files(RUN.files.awaited("train")),
    output:
        plan=update(f"{RESULT}/search/plan.json"),
        draws=[update(path) for path in results(result_files.plan_files(RUN.plan)[1:])],
    log:
        f"{RESULT}/logs/plan.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("plan", request_of("plan"), TRAIN_ARGUMENTS),
        search=arguments.plan_arguments(RUN),
    message:
        "Planning the search and sampling its trials"
    shell:
        "{params.script} {params.search} --out={output.plan:q} --log={log:q}"
