"""The config section: what it reads and writes, what contradicts itself, the schema."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.section import (
    Options,
    input_files,
    output_files,
    parse,
    planned_files,
)

REPOSITORY = Path(__file__).resolve().parents[3]
SCHEMA = yaml.safe_load(
    (REPOSITORY / "workflow" / "schemas" / "preprocess.schema.yaml").read_text()
)

SETS = {
    "train": {"sequences": "a.fa", "targets": "a.target"},
    "valid": {"positives": "p.fa", "negatives": "shuffle"},
    "test": {"positives": "p.fa", "negatives": "n.fa"},
    "predict": {"x": {"sequences": "x.bed"}, "y": {"sequences": "y.fa", "paired": "z.fa"}},
    "genome": "g.fa",
    "alphabet": "map.tsv",
}
SPLIT = {
    "positives": "p.fa",
    "negatives": "shuffle",
    "split": {"by": "chromosome", "test": ["chr1"], "valid": ["chr2"]},
}
COMMAND = {
    "command": {
        "run": "python make.py {data}",
        "inputs": ["make.py"],
        "outputs": {"train": ["t.csv"], "predict": ["p/q.csv"]},
    }
}


def test_files_of_a_section():
    assert planned_files({}) == {} and input_files({}) == [] and output_files({}) == []
    with pytest.raises(UserError):
        planned_files({**SETS, "valid": {**SETS["valid"], "paired": "z.fa"}})
    sets = {**SETS, "predict": {"x": {"sequences": "x.bed"}}}
    assert planned_files(sets) == {
        "train": ["train.h5"],
        "valid": ["valid.h5"],
        "test": ["test.h5"],
        "predict": ["x.h5"],
    }
    assert input_files(sets) == ["a.fa", "a.target", "p.fa", "n.fa", "x.bed", "g.fa", "map.tsv"]
    assert output_files(sets)[4:] == [f"{n}.stats.json" for n in ("train", "valid", "test", "x")]


def test_files_of_a_split_and_of_a_command():
    assert planned_files(SPLIT) == {n: [f"{n}.h5"] for n in ("train", "valid", "test")}
    without = {**SPLIT, "split": {"test": 0.1}, "predict": {"x": {"sequences": "x.fa"}}}
    assert planned_files(without) == {
        "train": ["train.h5"],
        "test": ["test.h5"],
        "predict": ["x.h5"],
    }
    assert planned_files(COMMAND) == {"train": ["t.csv"], "predict": ["p/q.csv"]}
    assert input_files(COMMAND) == ["make.py"]
    assert output_files(COMMAND) == ["t.csv", "p/q.csv"]


@pytest.mark.parametrize(
    "section,words",
    [
        ({"train": {"targets": "t"}}, "exactly one of sequences"),
        ({"train": {"sequences": "a", "positives": "b", "negatives": "c"}}, "exactly one"),
        ({"train": {"positives": "a"}}, "preprocess.train.negatives"),
        ({"train": {"sequences": "a", "negatives": "b"}}, "preprocess.train.negatives"),
        ({"train": {"positives": "a", "negatives": "b", "targets": "c"}}, "targets"),
        ({"predict": {"x": {"sequences": "a", "targets": "t"}}}, "preprocess.predict.x"),
        ({"predict": {"sequences": "a"}}, "name the set first"),
        ({"predict": {"train": {"sequences": "a"}}}, "preprocess.predict.train"),
        ({"sequences": "a"}, "preprocess.split"),
        ({"split": {"test": 0.1}}, "one input"),
        ({"sequences": "a", "split": {"test": 1.5}}, "preprocess.split.test"),
        ({"sequences": "a", "split": {"test": 0.6, "valid": 0.5}}, "nothing to train"),
        ({"sequences": "a", "split": {"test": ["chr1"]}}, "preprocess.split.test"),
        ({"sequences": "a", "split": {"by": "chromosome", "test": 0.1}}, "list of chromosomes"),
        (
            {"sequences": "a", "split": {"by": "chromosome", "test": ["1"], "valid": ["1"]}},
            "in valid and in test",
        ),
        ({**SPLIT, "test": {"sequences": "t"}}, "preprocess.test"),
        ({**SPLIT, "length": "fit"}, "preprocess.width"),
        ({**SPLIT, "width": 10}, "strict"),
        ({**SPLIT, "window": 10}, "genome"),
        ({**SPLIT, "length": "long"}, "preprocess.length"),
        ({**SPLIT, "alphabet": "protein", "reverse_complement": "all"}, "reverse_complement"),
        ({"train": {"sequences": "a"}, "test": {"features": "b"}}, "features"),
        ({**COMMAND, "train": {"sequences": "a"}}, "preprocess.train"),
        ({"command": {"run": "x"}}, "outputs"),
        ({"command": {"outputs": {"train": ["a"]}}}, "command.run"),
        ({"command": {"run": "x", "outputs": {"train": ["../a"]}}}, "../a"),
    ],
)
def test_contradictions_are_one_sentence(section, words):
    with pytest.raises(UserError) as caught:
        parse(section)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_the_schema_accepts_these_and_refuses_typing_errors():
    Draft202012Validator.check_schema(SCHEMA)
    check = Draft202012Validator(SCHEMA)
    for section in ({}, {**SETS, "predict": {}}, SPLIT, COMMAND):
        assert list(check.iter_errors(section)) == []
    for section in (
        {"trian": {}},
        {"train": {"sequence": "a.fa"}},
        {"length": "long"},
        {"split": {"by": "random"}},
        {"width": 0},
        {"width": "12"},
        {"command": {"outputs": {"other": []}}},
    ):
        assert list(check.iter_errors(section)), section


def test_schema_defaults_are_the_plans():
    properties = SCHEMA["properties"]
    for key, default in Options().__dict__.items():
        assert properties[key]["default"] == (default if key != "columns" else {}), key

    def every(node):
        for name, value in node.get("properties", {}).items():
            value = (
                SCHEMA["$defs"][value["$ref"].split("/")[-1]] | value if "$ref" in value else value
            )
            assert {"type", "description", "default"} <= value.keys(), name
            every(value)

    every(SCHEMA)
    filled = {k: v["default"] for k, v in properties.items() if "default" in v}
    assert parse(filled) == parse({})


def test_the_plan_is_cheap_to_import():
    code = (
        "import sys; import dlutil_core.preprocess.section;"
        "print({'numpy', 'h5py', 'torch', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()", done.stderr


def test_preprocessing_needs_no_torch():
    code = (
        "import sys; import dlutil_core.preprocess.pipeline, dlutil_core.preprocess.embed;"
        "print({'torch', 'pandas', 'sklearn', 'pysam'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()", done.stderr


def test_a_command_runs_with_this_interpreter_and_its_seed(tmp_path, monkeypatch):
    from dlutil_core.preprocess.pipeline import preprocess

    monkeypatch.chdir(tmp_path)
    Path("make.py").write_text(
        "import pathlib, sys; d = pathlib.Path(sys.argv[1]);"
        "(d / 't.csv').write_text(sys.argv[2] + sys.executable)"
    )
    section = {
        "command": {
            "run": "python make.py {data} {seed}",
            "inputs": ["make.py"],
            "outputs": {"train": ["t.csv"]},
        }
    }
    preprocess(section, Path("data"), 7)
    made = Path("data/t.csv").read_text()
    assert made[0] == "7" and Path(made[1:]).samefile(sys.executable)
    section["command"]["run"] += "; exit 3"
    with pytest.raises(UserError, match="exit code 3"):
        preprocess(section, Path("data"), 7)
    assert not Path("data/t.csv").exists()
    section["command"]["run"] = "true"
    with pytest.raises(UserError, match=r"did not make data/t\.csv"):
        preprocess(section, Path("data"), 7)
