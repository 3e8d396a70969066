"""The flags of `main.py` become a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlutil_core.cli import commands
from dlutil_core.cli.run import main, profile_words
from dlutil_core.cli.run_flags import config_of, parser
from dlutil_core.common.errors import UserError
from dlutil_core.run.config import validated

DEFINITION = """
import os
UNITS = os.environ["UNITS"]
OTHER = os.getenv("OTHER", "x")
NAME = "COMPUTED"
COMPUTED = os.environ.get(NAME)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("def.py").write_text(DEFINITION)
    Path("data").mkdir()


def config(*flags: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    words = ["-f", "def.py", "-d", "data", "-r", "out", *flags]
    return config_of(parser("main.py").parse_args(words), environment or {})


def test_the_default_profile_is_given_in_words_unless_the_folder_has_one() -> None:
    words = profile_words()
    assert words[:4] == ["--workflow-profile", "none", "--rerun-triggers", "mtime"]
    assert {"--nolock", "--ignore-incomplete"} < set(words) and "--quiet" not in words
    Path("default").mkdir()  # data, say: no profile
    assert profile_words() == words
    Path("profiles/default").mkdir(parents=True)
    Path("profiles/default/config.yaml").write_text("executor: slurm\n")
    assert profile_words() == []


def test_short_and_long_flags_say_the_same() -> None:
    long = "--model def.py --data data --result out --hyper --eval --predict a.h5 b*.h5 "
    long += "--epoch 9 --batch-size 7 --cpu --seed 5 --cores 3"
    short = ["-y", "-e", "-p", "a.h5", "b*.h5", "-ep", "9", "-bs", "7", "-c", "--seed", "5"]
    first = config(*short, "--cores", "3")
    assert first == config_of(parser("main.py").parse_args(long.split()), {})
    assert first["search"]["max_epochs"] == 9
    assert (first["batch_size"], first["seed"], first["device"]) == (7, 5, "cpu")
    assert first["predict"] == ["a.h5", "b*.h5"]
    validated(first)


def test_what_is_not_given_has_the_configs_defaults() -> None:
    made = validated(config("-y"))
    plain = validated({"definition": "def.py", "data": "data", "result": "out"})
    assert made | {"evaluate": True} == plain
    assert made["evaluate"] is False


def test_without_hyper_the_earlier_search_is_used() -> None:
    for flags in (("-e",), ("-p", "a.h5"), ("-e", "-p", "a.h5")):
        assert config(*flags)["search"]["method"] == "existing"
    assert config("-y", "-e")["search"]["method"] == "hyperband"


def test_debug_is_one_small_trial_in_a_folder_of_its_own() -> None:
    for flags in (("--debug",), ("--debug", "-y", "-e", "-ep", "50", "-bs", "100")):
        made = config(*flags)
        assert made["result"] == "out/debug"
        assert (made["batch_size"], made["search"]["max_epochs"]) == (2, 1)
        assert made["search"]["method"] == "hyperband"


def test_variables_that_def_py_names_become_part_of_the_run() -> None:
    environment = {"UNITS": "V", "COMPUTED": "1", "HOME": "/root"}
    assert config("-y", environment=environment)["env"]["UNITS"] == "V"
    assert "HOME" not in config("-y", environment=environment)["env"]
    assert "OTHER" not in config("-y", environment=environment)["env"], "it is not set"


def test_data_files_by_stage() -> None:
    flags = ["--data-files", "train=t*.h5", "--data-files", "test=x.h5"]
    made = config("-y", *flags, "--data-files", "train=v=1.h5")
    assert made["data_files"] == {"train": ["t*.h5", "v=1.h5"], "test": ["x.h5"]}
    for wrong in ("valid=x", "train", "train=", "=x"):
        with pytest.raises(UserError, match="must be train=GLOB or test=GLOB"):
            config("-y", "--data-files", wrong)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "", "1e3", "²"])
@pytest.mark.parametrize("flag", ["--epoch", "--batch-size", "--cores"])
def test_counts_must_be_whole_numbers_from_1(flag: str, value: str) -> None:
    with pytest.raises(UserError, match=rf"{flag} is .*must be a whole number of at least 1"):
        config("-y", f"{flag}={value}")


def test_a_seed_may_be_zero_but_not_less() -> None:
    assert config("-y", "--seed", "0")["seed"] == 0
    with pytest.raises(UserError, match="--seed is -1"):
        config("-y", "--seed=-1")


def test_flags_cannot_be_abbreviated() -> None:
    with pytest.raises(SystemExit) as caught:
        config("-y", "--epo", "3")
    assert caught.value.code == 2


def test_errors_are_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-d", "data", "-r", "out"]
    assert main(["-f", "none.py", "-y", *words]) == 1
    assert main(["-f", "def.py", *words]) == 1
    assert commands.main(["run", "-f", "def.py", "-e", *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)
    assert "none.py" in lines[0]
    assert "nothing to do" in lines[1]
    assert not Path("out").exists()
