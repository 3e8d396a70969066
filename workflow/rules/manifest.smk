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
        files=RUN.result_files(),
        result=f"{RESULT}",
    message:
        "Hashing all results"
    shell:
        "{PYTHON} {SCRIPTS}/manifest.py --result {params.result:q} --files {params.files:q}"
        " --out {output:q} --log {log:q}"
