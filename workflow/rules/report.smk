# The page that tells it all, and the pictures of the search for `snakemake --report`.

import json


report: "../report/workflow.rst"


rule report:
    input:
        [f"{RESULT}/{name}" for name in RUN.report_inputs()],
        statistics=[f"{DATA}/{name}" for name in RUN.statistics()],
    output:
        page=report(
            f"{RESULT}/report.html",
            caption="../report/page.rst",
            category="Report",
            labels={"shows": "everything on one page"},
        ),
        curves=report(
            f"{RESULT}/search/learning_curves.svg",
            caption="../report/learning_curves.rst",
            category="Search",
            labels={"shows": "learning curves"},
        ),
        hyperparameters=report(
            f"{RESULT}/search/hyperparameters.svg",
            caption="../report/hyperparameters.rst",
            category="Search",
            labels={"shows": "reward against hyperparameters"},
        ),
        parallel=report(
            f"{RESULT}/search/parallel_coordinates.svg",
            caption="../report/parallel_coordinates.rst",
            category="Search",
            labels={"shows": "parallel coordinates"},
        ),
        history=report(
            f"{RESULT}/best/history.svg",
            caption="../report/history.rst",
            category="Best model",
            labels={"shows": "training of the best model"},
        ),
    log:
        f"{RESULT}/logs/report.log",
    conda:
        ENVIRONMENT
    params:
        script=script("report"),
        # a function, since Snakemake would take braces for wildcards
        preprocess=lambda _: f"--preprocess={json.dumps(RUN.told_preprocess(), sort_keys=True)}",
        tested="--tested" if CFG["evaluate"] else "",
        explained="--explained" if CFG["explain"]["enabled"] else "",
        result=subpath(output.page, parent=True),
    message:
        "Writing the report"
    shell:
        "{params.script} --result {params.result:q} {params.preprocess:q}"
        " {params.tested} {params.explained} --statistics {input.statistics:q} --log {log:q}"
