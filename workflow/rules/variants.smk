# What the model predicts of each allele of a VCF file, one job each.


rule variants:
    input:
        variants_flag,
        model=made(results(result_files.model_files(RUN))),
        provenance=made_by("best", results(["best/provenance.json"])),
        definition=unhurried([DEFINITION, *RUN.definition_files]),
        data=data_files(RUN.files.arriving),
        raw=variants_files,
    output:
        table=update(f"{RESULT}/variants/{{variants}}.tsv"),
        vcf=update(f"{RESULT}/variants/{{variants}}.vcf.gz"),
        index=update(f"{RESULT}/variants/{{variants}}.vcf.gz.tbi"),
    log:
        f"{RESULT}/logs/variants/{{variants}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=GPUS,
    params:
        script=script("variants", variants_request, arguments.run_arguments(RUN, "predict")),
        files=lambda wildcards: arguments.variant_arguments(RUN, wildcards.variants),
        models=listed(results(result_files.model_files(RUN))),
    message:
        "Predicting the variants {wildcards.variants}"
    shell:
        "{params.script} --model {params.models:q} {params.files}"
        " --out={output.table:q} --log={log:q}"
