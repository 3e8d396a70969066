"""Bad input: one sentence with file, key, value and remedy, exit code not 0, no partial output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import front
import numpy as np
import pytest
import yaml

from dlutil_core.common.errors import UserError
from dlutil_core.run.checks import check
from dlutil_core.run.run_config import RunConfig

# What `main.py` sees before anything runs: (what is done to the project, flags, the sentence).


def nothing(folder: Path) -> None:
    pass


def definition(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = front.DEFINITION.replace(old, new)
        assert text != front.DEFINITION
        (folder / "def.py").write_text(text)

    return change


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def emptied(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(b"")


BEFORE: dict[str, tuple[Callable[[Path], None], list[str], list[str]]] = {
    "no def.py": (removed("def.py"), ["-y"], ["def.py", "no such file"]),
    "an empty def.py": (emptied("def.py"), ["-y"], ["def.py", "no code in it"]),
    "a syntax error": (
        definition("return read(pred_path)", "return read(pred_path"),
        ["-y"],
        ["def.py", "line", "return read(pred_path"],
    ),
    "no get_train_generator": (
        definition("def get_train_generator", "def get_training"),
        ["-y"],
        ["def.py", "get_train_generator", "define get_train_generator(data_dir, batch_size)"],
    ),
    "no get_config": (
        definition("def get_config", "def configure"),
        ["-y"],
        ["def.py", "get_config", "define get_config()"],
    ),
    "no get_test_generator": (
        definition("def get_test_generator", "def test_loader"),
        ["-y", "-e"],
        ["def.py", "get_test_generator", "--eval", "define get_test_generator(data_dir)"],
    ),
    "no get_pred_generator": (
        definition("def get_pred_generator", "def pred_loader"),
        ["-y", "-p", "test.h5"],
        ["def.py", "get_pred_generator", "--predict", "define get_pred_generator(pred_path)"],
    ),
    "no Model": (
        definition("class Model(", "class Net("),
        ["-y"],
        ["def.py", "Model", "class Model(base_model.BaseModel)"],
    ),
    "no data folder": (nothing, ["-y", "-d", "nowhere"], ["data: nowhere", "not a folder"]),
    "no epochs": (nothing, ["-y", "-ep", "0"], ["--epoch is 0", "at least 1"]),
    "half an epoch": (nothing, ["-y", "-ep", "0.5"], ["--epoch is 0.5", "whole number"]),
    "an empty batch": (nothing, ["-y", "-bs", "0"], ["--batch-size is 0", "at least 1"]),
    "a seed below zero": (nothing, ["-y", "--seed", "x"], ["--seed is x", "whole number"]),
    "no cores": (nothing, ["-y", "--cores", "0"], ["--cores is 0", "at least 1"]),
    "a pattern without a match": (
        nothing,
        ["-y", "-p", "tset.h5*"],
        ["predict: 'tset.h5*'", "matches no file under data", "check the spelling"],
    ),
    "a path that leaves the data": (
        nothing,
        ["-y", "-p", "../def.py"],
        ["predict: '../def.py'", "leaves the data folder data", "below it"],
    ),
    "an absolute path elsewhere": (
        nothing,
        ["-y", "-p", "/etc/passwd"],
        ["predict: '/etc/passwd'", "leaves the data folder"],
    ),
    "a wrong data_files": (
        nothing,
        ["-y", "--data-files", "valid=x"],
        ["--data-files is 'valid=x'", "train=GLOB"],
    ),
    "data_files without a match": (
        nothing,
        ["-y", "--data-files", "train=x*.h5"],
        ["data_files.train: 'x*.h5'", "matches no file under data"],
    ),
    "nothing to do": (nothing, [], ["nothing to do", "--hyper, --eval or --predict"]),
    "to test without a search": (
        nothing,
        ["-e"],
        ["out: holds no earlier search", "--hyper"],
    ),
}


@pytest.mark.parametrize("name", BEFORE)
def test_before_anything_runs(name: str, fresh: Path) -> None:
    change, flags, pieces = BEFORE[name]
    change(fresh)
    done = front.run_main(fresh, *flags)
    front.one_sentence(done, *pieces)
    assert done.code == 1
    assert not (fresh / "out").exists()
    assert not (fresh / "nowhere").exists()


# What only a job can see: its sentence reaches the terminal, and its outputs do not exist.


def unlabelled(name: str) -> Callable[[Path], None]:
    return lambda folder: front.write_hdf5(folder / "data" / name, data=front.table(1)[0])


def unequal(folder: Path) -> None:
    x, y = front.table(1)
    front.write_hdf5(folder / "data" / "valid.h5", data=x, label=y[:50])


def without_data(folder: Path) -> None:
    front.write_hdf5(folder / "data" / "train.h5", x=np.ones(3), label=np.ones(3))


def test_hdf5_without_data_in_training(fresh: Path) -> None:
    without_data(fresh)
    done = front.run_main(fresh, "-y", "-e")
    front.one_sentence(done, "data/train.h5", "no dataset 'data'", "'label', 'x'")
    left = front.result_files(fresh / "out")
    assert [n for n in left if not n.startswith(("identity/", "search/plan.json"))] == []


def test_hdf5_of_unequal_lengths_with_plain_snakemake(fresh: Path) -> None:
    unequal(fresh)
    front.write_config(fresh)
    done = front.snakemake(fresh, "--configfile", "config.yaml")
    front.one_sentence(done, "data/valid.h5", "'data' has 60", "'label' has 50")
    assert not (fresh / "out" / "best").exists()


def test_a_get_config_that_returns_no_dictionary(fresh: Path) -> None:
    definition('return {"lr"', 'return 3 or {"lr"')(fresh)
    done = front.run_main(fresh, "-y")
    front.one_sentence(done, "def.py", "get_config returned 3 (int)", "a dictionary")
    assert not (fresh / "out" / "search" / "plan.json").exists()


FILES: dict[str, tuple[Callable[[Path], None], list[str], list[str]]] = {
    "a test set without labels": (
        unlabelled("test.h5"),
        ["-e"],
        ["data/test.h5", "no dataset 'label'", "get_test_generator", "write it"],
    ),
    "a file to predict that is empty": (
        emptied("data/new/more.h5"),
        ["-p", "new/more.h5"],
        ["data/new/more.h5", "is empty", "write the file again"],
    ),
    "a file to predict that is no HDF5": (
        lambda folder: (folder / "data" / "new" / "more.h5").write_text("1,2\n" * 999),
        ["-p", "new/more.h5"],
        ["data/new/more.h5", "not a readable HDF5 file"],
    ),
    "a file to predict of another width": (
        lambda folder: front.write_hdf5(
            folder / "data" / "new" / "more.h5", data=np.ones((5, 3), np.float32)
        ),
        ["-p", "new/more.h5"],
        ["def.py", "data/new/more.h5", "mat1 and mat2"],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_to_test_and_to_predict(name: str, copied: Path) -> None:
    change, flags, pieces = FILES[name]
    change(copied)
    done = front.run_main(copied, *flags, SCALE="2")
    front.one_sentence(done, *pieces)
    assert not list((copied / "out").rglob("*.tmp"))
    # What was there before is no result of this input.
    again = front.run_main(copied, *flags, SCALE="2")
    front.one_sentence(again, *pieces)


# The config, with plain Snakemake.

CONFIGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an unknown key": ({"sed": 3}, ["unknown key 'sed'", "did you mean 'seed'"]),
    "an unknown key of a section": (
        {"search": {"max_epoch": 3}},
        ["unknown key 'search.max_epoch'", "did you mean 'max_epochs'"],
    ),
    "a missing key": ({"definition": None}, ["'definition' is missing", "def.py"]),
    "no epochs": ({"search": {"max_epochs": 0}}, ["search.max_epochs is 0", "at least 1"]),
    "a text for a number": ({"batch_size": "many"}, ["batch_size is 'many'", "a whole number"]),
    "an unknown device": ({"device": "gpu"}, ["device is 'gpu'", "auto, cpu, cuda"]),
    "no match": ({"predict": ["*.csv"]}, ["predict: '*.csv'", "matches no file under data"]),
}


def test_configs_are_refused_in_one_sentence(fresh: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(fresh)
    for changes, pieces in CONFIGS.values():
        front.write_config(fresh, **changes)
        with pytest.raises(UserError) as caught:
            check(RunConfig(yaml.safe_load((fresh / "config.yaml").read_text())))
        for piece in pieces:
            assert piece in str(caught.value)


@pytest.mark.parametrize("name", ["an unknown key of a section", "no match"])
def test_plain_snakemake_prints_the_sentence_alone(name: str, fresh: Path) -> None:
    changes, pieces = CONFIGS[name]
    front.write_config(fresh, **changes)
    done = front.snakemake(fresh, "--configfile", "config.yaml")
    front.one_sentence(done, *pieces)
    assert not (fresh / "out").exists()


# Raw files, through the preprocessing rule.

GOOD = ">a\nACGTACGT\n>b\nACGTAAGT\n>c\nTTTTACGT\n"
RAW: dict[str, tuple[str, str, list[str]]] = {
    "no header": ("ACGT\nACGT\n", "1\n0\n", ["train.fa", "line 1 is 'ACGT'", "neither FASTA"]),
    "an empty sequence": (">a\nACGT\n>b\n>c\nACGT\n", "1\n0\n1\n", ["train.fa", "b", "empty"]),
    "a letter outside the alphabet": (
        GOOD.replace("TTTT", "TTXT"),
        "1\n0\n1\n",
        ["train.fa", "c", "X"],
    ),
    "unequal lengths": (GOOD.replace("TTTTACGT", "TTTT"), "1\n0\n1\n", ["train.fa", "c", "4", "8"]),
    "fewer targets": (GOOD, "1\n0\n", ["train.target", "2", "3"]),
    "a target that is no number": (GOOD, "1\nyes\n0\n", ["train.target", "yes"]),
    "an empty file": ("", "1\n0\n", ["train.fa", "empty"]),
}


@pytest.mark.parametrize("name", RAW)
def test_raw_files(name: str, fresh: Path) -> None:
    fasta, targets, pieces = RAW[name]
    (fresh / "raw").mkdir()
    (fresh / "raw" / "train.fa").write_text(fasta)
    (fresh / "raw" / "train.target").write_text(targets)
    section = {"train": {"sequences": "raw/train.fa", "targets": "raw/train.target"}}
    front.write_config(fresh, data="made", preprocess=section, data_files=None, evaluate=False)
    done = front.snakemake(fresh, "--configfile", "config.yaml", "--until", "preprocess")
    front.one_sentence(done, *pieces)
    assert not list((fresh / "made").rglob("*.h5*"))


def test_a_path_that_no_system_takes_is_a_sentence(fresh: Path) -> None:
    front.write_config(fresh, definition="a" * 300)
    done = front.snakemake(fresh, "--configfile", "config.yaml", "-n")
    assert done.code != 0 and "Traceback" not in done.output
    assert "cannot be used (file name too long); check the path" in done.output
