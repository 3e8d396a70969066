"""What is refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_project import DEFINITION, run_of

from dlutil_core.common.errors import UserError
from dlutil_core.run.checks import check
from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.steps import Steps

pytestmark = pytest.mark.usefixtures("here")


def searched() -> None:
    """A result folder as an earlier search leaves it."""
    Path("out/search").mkdir(parents=True)
    plan = {"method": "hyperband", "max_epochs": 9, "eta": 3, "seed": 4}
    Path("out/search/plan.json").write_text(json.dumps(plan))


def test_names_that_snakemake_would_take_for_wildcards_are_refused() -> None:
    Path("data/x{1}.h5").write_text("")
    with pytest.raises(UserError, match=r"x\{1\}\.h5: file names must not hold braces"):
        check(run_of(data_files={"train": ["*.h5"]}))
    check(run_of(data_files={"train": ["train.h5"], "test": ["test*"]}))


def test_a_whole_run_passes() -> None:
    check(run_of(predict=["new/a.npy"]))


def test_what_is_asked_for_must_be_defined() -> None:
    Path("def.py").write_text("def get_train_generator(data_dir, batch_size): pass\n")
    with pytest.raises(UserError, match="Model"):
        check(run_of())
    Path("def.py").write_text(DEFINITION.replace("def get_test_generator", "def tests"))
    with pytest.raises(UserError, match=r"get_test_generator.*evaluation"):
        check(run_of())
    check(run_of(evaluate=False))
    Path("def.py").write_text(DEFINITION.replace("def get_config", "def space"))
    with pytest.raises(UserError, match=r"get_config.*the search"):
        check(run_of())
    check(run_of(search={"method": "fixed", "config": {"lr": 1}}))


def test_a_data_folder_that_is_none() -> None:
    with pytest.raises(UserError, match="data: nowhere is not a folder"):
        check(run_of(data="nowhere"))
    with pytest.raises(UserError, match=r"data: def\.py is not a folder"):
        check(run_of(data="def.py"))


def test_to_use_a_search_there_must_be_one() -> None:
    with pytest.raises(UserError, match=r"out: holds no earlier search.*--hyper"):
        check(run_of(search={"method": "existing"}))
    searched()
    made = run_of(search={"method": "existing", "max_epochs": 81})
    check(made)
    assert made.plan.max_epochs == 9, "the plan is that of the search"


def test_members_are_not_trained_where_nothing_is() -> None:
    searched()
    check(run_of(search={"method": "existing"}, repeat={"seeds": 1}))
    with pytest.raises(UserError, match=r"repeat: its members are trained.*--hyper"):
        check(run_of(search={"method": "existing"}, repeat={"seeds": 2}))


def test_folds_of_loaders_of_ones_own_are_folders() -> None:
    for fold in range(3):
        Path(f"data/fold-{fold}").mkdir()
        Path(f"data/fold-{fold}/train.h5").write_text("")
    made = run_of(repeat={"folds": 3}, data_files={"train": ["*.h5"]})
    check(made)
    folders = [made.files_of(fold).data_dir for fold in range(3)]
    assert folders == [f"data/fold-{k}" for k in range(3)]
    assert made.files_of(2).of_stage("train") == ["fold-2/train.h5"]
    with pytest.raises(UserError, match=r"no folder data/fold-3, which the loaders of fold 3"):
        check(run_of(repeat={"folds": 4}))
    with pytest.raises(UserError, match=r"repeat\.folds: lists what each fold tests"):
        check(run_of(repeat={"folds": [["a"], ["b"], ["c"]]}))


def test_a_search_of_every_fold_is_refused() -> None:
    with pytest.raises(UserError, match=r"repeat\.search: each, a search of every fold"):
        check(run_of(repeat={"folds": 3, "search": "each"}))


def test_folds_that_the_section_cannot_make_are_told_before_anything_runs() -> None:
    Path("a.fa").write_text(">chr1:1-5\nACGT\n")
    section = {"sequences": "a.fa", "split": {"by": "chromosome", "test": ["chr1"]}}
    with pytest.raises(UserError, match=r"split\.test: cannot stand beside repeat\.folds"):
        check(run_of(preprocess=section, repeat={"folds": 3}))


def test_a_raw_file_that_is_missing_is_told_before_anything_runs() -> None:
    section = {"train": {"sequences": "train.fa", "targets": "train.txt"}}
    Path("train.fa").write_text(">a\nACGT\n")
    with pytest.raises(UserError, match=r"train\.txt: there is no such file"):
        check(run_of(preprocess=section))


def test_motifs_that_are_missing_are_told_before_anything_runs() -> None:
    with pytest.raises(UserError, match=r"explain\.motifs: known\.meme: there is no such file"):
        check(run_of(explain={"enabled": True, "motifs": "known.meme"}))


def test_proteins_are_not_explained() -> None:
    with pytest.raises(UserError, match="the explanation is of DNA and RNA"):
        check(run_of(explain={"enabled": True}, preprocess={"alphabet": "protein"}))


def test_a_variable_without_a_value_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("UNITS", raising=False)
    with pytest.raises(UserError, match=r"env\.UNITS: has no value"):
        check(run_of(env={"UNITS": None}))
    monkeypatch.setenv("UNITS", "volts")
    check(run_of(env={"UNITS": None}))


def test_variants_that_cannot_be_predicted_are_refused() -> None:
    for name in ("a.vcf", "g.fa", "t.tsv"):
        Path(name).write_text("x\n")
    given = {"vcf": "a.vcf", "genome": "g.fa"}
    encoded = {"train": {"sequences": "t.tsv"}, "valid": {"sequences": "t.tsv"}}
    encoded |= {"test": {"sequences": "t.tsv"}}
    check(run_of(variants={"a": given}, preprocess=encoded))

    def said(variants: object, **section: object) -> str:
        with pytest.raises(UserError) as error:
            check(run_of(variants=variants, preprocess=encoded | section))
        return str(error.value)

    assert "variants.a.vcf: no.vcf: there is no such file" in said({"a": given | {"vcf": "no.vcf"}})
    for name in (1, True):
        assert f"variants: the name {name} is no text; write it in quotes" in said({name: given})
    own = given | {"vcf": "out/variants/a.vcf.gz"}
    assert "lies where the run writes its own variants" in said({"b": own})
    assert "'a/b' is to be the name of files" in said({"a/b": given})
    assert "unknown key 'variants.a.fasta'" in said({"a": given | {"fasta": "x"}})
    assert "key 'variants.a.genome' is missing" in said({"a": {"vcf": "a.vcf"}})
    nothing_alike = "preprocess encodes no single sequences of DNA or RNA"
    assert nothing_alike in said({"a": given}, alphabet="protein")
    columns = {"sequence": "a", "paired": "b"}
    assert nothing_alike in said({"a": given}, columns=columns)
    with pytest.raises(UserError, match=nothing_alike):
        check(run_of(variants={"a": given}))
    Path("def.py").write_text(DEFINITION.replace("def get_pred_generator", "def others"))
    assert "get_pred_generator" in said({"a": given})


def test_a_chosen_member_is_explained_on_its_own_fold() -> None:
    for fold in range(3):
        Path(f"data/fold-{fold}").mkdir()
        Path(f"data/fold-{fold}/test.h5").write_text("")
    given = {"repeat": {"folds": 3}, "data_files": {"test": ["test.h5"]}}
    for member, fold in (("fold-2/seed-0", 2), ("best", 0), (None, 0)):
        made = run_of(**given, explain={"enabled": True, "member": member})
        wanted = Steps(made, JobSizes(made.values, made.plan))["explain"].request
        read = [name for name in wanted.inputs if "test.h5" in name]
        assert read == [f"{{data}}/fold-{fold}/test.h5"]
