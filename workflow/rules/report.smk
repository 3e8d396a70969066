# The page that tells it all, and the pictures of the search for `snakemake --report`.


report: "../report/workflow.rst"


rule report:
    input:
        flag("report"),
        made(results(result_files.report_inputs(RUN))),
        statistics=made(in_data(result_files.statistics(RUN))),
    output:
        page=report(
            update(f"{RESULT}/report.html"),
            caption="../report/page.rst",
            category="Report",
            labels={"shows": "everything on one page"},
        ),
        curves=report(
            update(f"{RESULT}/search/learning_curves.svg"),
            caption="../report/learning_curves.rst",
            category="Search",
            labels={"shows": "learning curves"},
        ),
        hyperparameters=report(
            update(f"{RESULT}/search/hyperparameters.svg"),
            caption="../report/hyperparameters.rst",
            category="Search",
            labels={"shows": "reward against hyperparameters"},
        ),
        parallel=report(
            update(f"{RESULT}/search/parallel_coordinates.svg"),
            caption="../report/parallel_coordinates.rst",
            category="Search",
            labels={"shows": "parallel coordinates"},
        ),
        history=report(
            update(f"{RESULT}/best/history.svg"),
            caption="../report/history.rst",
            category="Best model",
            labels={"shows": "training of the best model"},
        ),
        members=report(
            update(results([result_folder.MEMBER_CURVES] if RUN.repeat.is_set else [])),
            caption="../report/member_curves.rst",
            category="Stability",
            labels={"shows": "training of all members"},
        ),
    log:
        f"{RESULT}/logs/report.log",
    conda:
        ENVIRONMENT
    params:
        script=script("report", request_of("report"), arguments_of_report(RUN)),
        result=subpath(output.page, parent=True),
        statistics=listed(in_data(result_files.statistics(RUN))),
    message:
        "Writing the report"
    shell:
        "{params.script} --result={params.result:q} --log={log:q} --statistics {params.statistics:q}"
