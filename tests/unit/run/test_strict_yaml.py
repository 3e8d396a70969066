"""Config files in which each line means what it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.run.config import check_config_files, read_config, validated

LEAST: dict[str, Any] = {"definition": "def.py", "data": "d", "result": "r"}


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e0", 1.0),
        ("1.5e3", 1500.0),
        (".5E+1", 5.0),
        ("-2e1", -20.0),
        ("0.5", 0.5),
        ("12", 12),
        ("0", 0),
        ("'1e-3'", "1e-3"),
        ("1e-3x", "1e-3x"),
        ("e3", "e3"),
    ],
)
def test_numbers_are_those_that_people_write(tmp_path: Path, text: str, value: Any) -> None:
    found = read_config(config(tmp_path, f"a: {text}\n"))["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", ["line 3", "'a'", "line 1"]),
        ("s:\n  x: 1\n  x: 1\n", ["line 3", "'x'", "line 2"]),
        ("l: [{p: 1, p: 2}]\n", ["line 1", "'p'"]),
        ("seed: 012\n", ["line 1", "012", "10"]),
        ("seed: 1:30\n", ["line 1", "1:30", "90"]),
        ("seed: 1:30.5\n", ["line 1", "1:30.5", "90.5"]),
        ("a: 2020-01-31\n", ["line 1", "2020-01-31", "a date"]),
        ("a: !!set {b}\n", ["line 1", "a set"]),
        ("a: !!binary aGk=\n", ["line 1", "aGk=", "bytes"]),
        ("? [a]\n: 1\n", ["line 1", "keys are texts"]),
        ("search:\n  config: {x: off}\n", ["line 2", "off", "false"]),
        ("search: {start: [{x: 1, y: [Yes]}]}\n", ["line 1", "Yes", "true"]),
        ("env: {MODE: no}\n", ["line 1", "no", "false"]),
    ],
)
def test_what_misleads_is_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    path = config(tmp_path, text)
    for check in (read_config, lambda p: check_config_files([p])):
        with pytest.raises(UserError) as caught:
            check(path)
        assert str(caught.value).startswith(f"{path}: line ")
        assert all(word in str(caught.value) for word in words), str(caught.value)


def test_merged_keys_are_no_doubles(tmp_path: Path) -> None:
    text = "base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\n"
    assert read_config(config(tmp_path, text))["more"] == {"a": 1, "b": 3}


def test_other_files_are_left_to_snakemake(tmp_path: Path) -> None:
    paths = [config(tmp_path, "__use_yte__: true\n?if True:\n  a: 1\n"), tmp_path / "gone.yaml"]
    (tmp_path / "a.json").write_text('{\n\t"a": 1}')
    check_config_files([*paths, tmp_path / "a.json"])


def test_numbers_that_snakemake_took_for_texts() -> None:
    """Its own reader gives 1e-3 as a text; a text stays one where texts may stand."""
    given = {
        "clip_norm": "1e0",
        "search": {"method": "fixed", "max_epochs": "2e1", "config": {"lr": "1e-3", "n": ["2e0"]}},
        "env": {"RATE": "1e-3"},
    }
    filled = validated(LEAST | given)
    assert filled["clip_norm"] == 1.0 and filled["search"]["max_epochs"] == 20
    assert filled["search"]["config"] == {"lr": 0.001, "n": [2.0]}
    assert filled["env"] == {"RATE": "1e-3"}
    with pytest.raises(UserError, match="clip_norm is 'x'"):
        validated(LEAST | {"clip_norm": "x"})


@pytest.mark.parametrize(
    "key",
    [
        "definition",
        "data",
        "result",
        "predict",
        "data_files.train",
        "preprocess.genome",
        "preprocess.train.sequences",
        "preprocess.predict.new.features",
        "preprocess.alphabet",
    ],
)
@pytest.mark.parametrize("text", ["a{b}.fa", "a}", "a\nb"])
def test_braces_in_paths_are_refused(key: str, text: str) -> None:
    *sections, last = key.split(".")
    value: Any = {last: [text] if key in ("predict", "data_files.train") else text}
    for name in reversed(sections):
        value = {name: value}
    with pytest.raises(UserError, match=f"config: {key} is .* must not hold braces"):
        validated(LEAST | value)


def test_braces_elsewhere_are_texts() -> None:
    command = {"run": "make {data} ${HOME}", "outputs": {"train": ["a"]}}
    config = {"lr": "{x}"}
    filled = validated(
        LEAST
        | {"env": {"A": "{"}, "preprocess": {"command": command}}
        | {"search": {"method": "fixed", "config": config}}
    )
    assert filled["env"] == {"A": "{"} and filled["search"]["config"] == config
    assert filled["preprocess"]["command"]["run"] == command["run"]


def test_words_that_can_mean_one_thing_alone_are_taken(tmp_path: Path) -> None:
    text = "evaluate: yes\nsearch: {config: {x: 'off', y: False}}\nenv: {A: true, B: 'no'}\n"
    found = read_config(config(tmp_path, text))
    assert found["evaluate"] is True
    assert found["search"]["config"] == {"x": "off", "y": False}
    assert found["env"] == {"A": True, "B": "no"}
