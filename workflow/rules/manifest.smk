# The hash of every result file: two runs of the same config, data and def.py have the same one.


rule manifest:
    input:
        flag("manifest"),
        everything(),
    output:
        update(f"{RESULT}/MANIFEST.sha256"),
    log:
        f"{RESULT}/logs/manifest.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("manifest", request_of("manifest")),
        files=result_files.result_files(RUN),
        result=subpath(output[0], parent=True),
    message:
        "Hashing all results"
    shell:
        "{params.script} --result={params.result:q} --out={output:q} --log={log:q}"
        " --files {params.files:q}"
