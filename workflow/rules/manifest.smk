# The hash of every result file: two runs of the same config, data and def.py have the same one.


rule manifest:
    input:
        [f"{RESULT}/{name}" for name in RUN.result_files()],
    output:
        f"{RESULT}/MANIFEST.sha256",
    log:
        f"{RESULT}/logs/manifest.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        script=script("manifest"),
        files=RUN.result_files(),
        result=subpath(output[0], parent=True),
    message:
        "Hashing all results"
    shell:
        "{params.script} --result {params.result:q} --files {params.files:q}"
        " --out {output:q} --log {log:q}"
