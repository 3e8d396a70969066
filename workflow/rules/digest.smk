# The hash of each data file. What a stage reads is an input by its hash, so that a touched file runs
# nothing and a large file is read once a change, not once a job.


rule digest:
    input:
        f"{DATA}/{{file}}",
    output:
        f"{RESULT}/digests/{{file}}.sha256",
    log:
        f"{RESULT}/logs/digest/{{file}}.log",
    conda:
        ENVIRONMENT
    params:
        script=script("digest"),
    message:
        "Hashing {wildcards.file}"
    shell:
        "{params.script} --file {input:q} --name {wildcards.file:q} --out {output:q}"
        " --log {log:q}"
