"""The config: defaults, and each mistake as one sentence with key, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.run.config import documented_keys, read_config, schema, validated
from dlutil_core.run.run_config import RunConfig

LEAST: dict[str, Any] = {"definition": "def.py", "data": "d", "result": "r"}


def test_defaults_fill_every_section() -> None:
    filled = validated(LEAST)
    assert filled["search"]["method"] == "hyperband"
    assert (filled["search"]["max_epochs"], filled["search"]["eta"]) == (27, 3)
    assert (filled["seed"], filled["batch_size"], filled["device"]) == (1, 100, "auto")
    assert filled["search"]["threads_per_trial"] == 1
    assert filled["data_files"] == {"train": [], "test": []}
    assert (filled["predict"], filled["env"], filled["evaluate"]) == ([], {}, True)
    assert filled["preprocess"] == {}


def test_the_given_config_is_not_changed_and_defaults_are_not_shared() -> None:
    given = LEAST | {"search": {"eta": 4}}
    first = validated(given)
    assert given == LEAST | {"search": {"eta": 4}}
    first["predict"].append("x")
    first["data_files"]["train"].append("x")
    second = validated(given)
    assert second["predict"] == []
    assert second["data_files"]["train"] == []
    assert second["search"] == first["search"]


def test_empty_sections_are_sections() -> None:
    names = ("search", "env", "data_files", "preprocess", "predict")
    filled = validated(LEAST | dict.fromkeys(names))
    assert filled == validated(LEAST)


def test_a_single_pattern_and_values_of_variables_become_texts() -> None:
    filled = validated(LEAST | {"predict": "test.h5", "env": {"A": 1, "B": True, "C": 0.5}})
    assert filled["predict"] == ["test.h5"]
    assert filled["env"] == {"A": "1", "B": "1", "C": "0.5"}
    assert validated(LEAST | {"precision": 32})["precision"] == "32"


@pytest.mark.parametrize(
    ("changes", "pieces"),
    [
        ({"sed": 1}, ["unknown key 'sed'", "did you mean 'seed'?"]),
        ({"xyzzy": 1}, ["unknown key 'xyzzy'", "known are definition, data"]),
        ({"search": {"max_epoch": 1}}, ["'search.max_epoch'", "did you mean 'max_epochs'?"]),
        ({"search": {"epoch_timeout": 0}}, ["search.epoch_timeout is 0", "larger than 0"]),
        ({"search": {"epoch_timeout": "1h"}}, ["search.epoch_timeout is '1h'", "a number"]),
        ({"search": {"epoch_timeout": float("inf")}}, ["epoch_timeout is inf", "finite"]),
        ({"search": {"max_epochs": 0}}, ["search.max_epochs is 0", "at least 1"]),
        ({"search": {"max_epochs": 2.5}}, ["search.max_epochs is 2.5", "a whole number"]),
        ({"search": {"max_epochs": "9"}}, ["search.max_epochs is '9'", "a whole number"]),
        ({"search": {"eta": 1}}, ["search.eta is 1", "at least 2"]),
        (
            {"search": {"method": "random"}},
            ["search.method is 'random'", "hyperband, staged, fixed"],
        ),
        ({"search": {"sampler": "model"}}, ["search.sampler is model", "set method: staged"]),
        (
            {"search": {"method": "staged", "sampler": "tpe"}},
            ["search.sampler is 'tpe'", "must be one of model, random or empty"],
        ),
        ({"search": {"method": "fixed"}}, ["search.config is empty", "config: {lr: 0.001}"]),
        ({"search": 3}, ["search is 3", "a mapping"]),
        ({"seed": -1}, ["seed is -1", "at least 0"]),
        ({"batch_size": True}, ["batch_size is True", "a whole number"]),
        ({"device": "gpu"}, ["device is 'gpu'", "one of auto, cpu, cuda"]),
        ({"evaluate": "no"}, ["evaluate is 'no'", "true or false"]),
        ({"predict": [3]}, ["predict.0 is 3", "a text"]),
        ({"env": {"A": [1]}}, ["env.A is [1]", "a text or a number or true or false"]),
        ({"clip_norm": 0}, ["clip_norm is 0", "larger than 0"]),
        ({"clip_norm": float("nan")}, ["clip_norm is nan", "a finite number"]),
        ({"early_stop": 0}, ["early_stop is 0", "at least 1"]),
        ({"precision": "fp16"}, ["precision is 'fp16'", "one of 32, bf16"]),
        ({"compile": "yes"}, ["compile is 'yes'", "true or false"]),
        ({"precision": 16}, ["precision is 16", "one of 32, bf16"]),
        ({"data_files": {"valid": []}}, ["'data_files.valid'", "known are train, test"]),
        ({"definition": ""}, ["definition is ''", "must not be empty"]),
    ],
)
def test_mistakes_are_one_sentence(changes: dict[str, Any], pieces: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        validated(LEAST | changes, "my.yaml")
    text = str(caught.value)
    assert text.startswith("my.yaml: ")
    assert "\n" not in text
    for piece in pieces:
        assert piece in text, text


@pytest.mark.parametrize("name", ["definition", "data", "result"])
def test_missing_keys_are_named_with_what_they_are(name: str) -> None:
    with pytest.raises(UserError, match=f"key '{name}' is missing; it is: the|key '{name}'"):
        validated({k: v for k, v in LEAST.items() if k != name})


def test_every_key_has_type_description_and_default() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    keys = dict(documented_keys())
    assert {"search.max_epochs", "data_files.train", "seed", "preprocess"} <= set(keys)
    for name, part in keys.items():
        assert part.get("description"), name
        assert "default" in part, name
        assert "type" in part or "anyOf" in part or "oneOf" in part, name


def test_defaults_keep_the_schema() -> None:
    # What is filled in must itself be a config; env becomes texts, precision a text.
    assert validated(validated(LEAST)) == validated(LEAST)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    found = validated(LEAST | {"early_stop": 3.0, "precision": 32.0, "search": {"max_epochs": 9.0}})
    values = [found["early_stop"], found["precision"], found["search"]["max_epochs"]]
    assert [str(value) for value in values] == ["3", "32", "9"]


def test_files_that_are_no_config(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: there is no such file"):
        read_config(tmp_path / "none.yaml")
    path = tmp_path / "config.yaml"
    for text in ("a: [1,", "\tseed: 1", "a: b: c"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"config\.yaml: not a YAML file") as caught:
            read_config(path)
        assert "\n" not in str(caught.value)
    path.write_text("search:\n\tmax_epochs: 1\n")
    with pytest.raises(UserError, match=r"\(line 2: a tab where YAML takes blanks alone; indent"):
        read_config(path)
    path.write_text("- 1\n")
    with pytest.raises(UserError, match="must hold keys and values, but holds list"):
        read_config(path)
    path.write_text("seed: 3\n")
    assert read_config(path) == {"seed": 3}


def test_a_word_that_yaml_takes_for_true_or_false_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("definition: d\ndata: x\nresult: yes\n")
    with pytest.raises(UserError, match=r"result is True \(so YAML reads yes, .*\), .*; quote it"):
        validated(read_config(tmp_path / "config.yaml"))


@pytest.mark.parametrize(
    ("keys", "pieces"),
    [
        ({"reward": "mse"}, ["reward is mse", "write -mse"]),
        ({"reward": "val_loss"}, ["write -val_loss"]),
        ({"reward": "-auroc"}, ["reward is -auroc", "write auroc"]),
        ({"metrics": ["aurocc"]}, ["metrics.0 is 'aurocc'", "average_precision"]),
    ],
)
def test_rewards_of_the_wrong_sign_and_unknown_metrics_are_refused(
    keys: dict[str, Any], pieces: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        validated({"definition": "def.py", "data": "d", "result": "r", **keys})
    assert all(piece in str(caught.value) for piece in pieces)


def test_metrics_and_reward_become_options_of_training() -> None:
    base = {"definition": "def.py", "data": "d", "result": "r"}
    assert RunConfig(base).options.identity() == {}
    found = RunConfig(base | {"metrics": "f1", "reward": "average_precision"}).options.identity()
    assert found == {"metrics": ["f1", "average_precision"], "reward": "average_precision"}
    assert RunConfig(base | {"reward": "-train_mse"}).options.metrics == ()
    assert RunConfig(base | {"reward": "my_own"}).options.metrics == ()
