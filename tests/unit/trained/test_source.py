"""A trained model keeps its source, and it alone is executed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dlutil_core
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.export.exporting import export
from dlutil_core.fingerprint.analysis import analyse
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec, hashed_env
from dlutil_core.model.checkpoint import write_checkpoint
from dlutil_core.trained.kept_files import ENTRY, keep_definition, kept_source
from dlutil_core.trained.load import restore_model
from dlutil_core.trained.provenance import training_provenance

torch.set_num_threads(1)

DEFINITION = """
import numpy as np
from torch import nn, optim
from dlutil_core import base_model, batch_generator
import nets
X = np.ones((6, 2), "float32")

def get_test_generator(data_dir):
    return batch_generator.MatrixBatchGenerator(X, X[:, 0])

class Model(base_model.RegressionModel):
    def init_model(self):
        from parts.later import WIDTH
        first, last = nn.Linear(2, WIDTH), nn.Linear(WIDTH, 1)
        network = nn.Sequential(first, nets.activation(), last, nn.Flatten(0))
        super().init_model(network, optim.SGD(network.parameters(), 0.1))

    def predict(self, loader):
        from parts.inner import FACTOR  # while it predicts
        return super().predict(loader) * FACTOR
"""


@pytest.fixture(autouse=True)
def same_modules() -> Iterator[None]:
    before, path = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(before):
        if name.partition(".")[0] in ("nets", "parts", "dlutil_definition"):
            del sys.modules[name]
    sys.path[:] = path


def project(folder: Path, factor: int = 1, activation: str = "ReLU", width: int = 4) -> Path:
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "__init__.py").write_text("")
    (folder / "parts" / "later.py").write_text(f"WIDTH = {width}\n")
    (folder / "parts" / "inner.py").write_text(f"FACTOR = {factor}\n")
    (folder / "nets.py").write_text(f"from torch import nn\nactivation = nn.{activation}\n")
    (folder / "my model.py").write_text(DEFINITION)
    return folder / "my model.py"


def train(definition: Path, result: Path, env: tuple[str, ...] = ()) -> np.ndarray:
    """A result folder as far as it is needed here; the predictions of its model."""
    fingerprint = analyse(definition).fingerprints["train"]
    spec = RunSpec(str(definition), "", 1, 0, "cpu", env=env, fingerprint=fingerprint)
    loaded = LoadedRun(spec)
    torch.manual_seed(3)
    model = loaded.model({})
    best = result / "best"
    best.mkdir(parents=True)
    about = {"trial": 0, "epoch": 1, "score": 0.5, "config": {}}
    write_checkpoint(best / "model.pt", model.save() | about)
    plan = {"method": "fixed", "max_epochs": 1, "eta": 3}
    provenance = training_provenance(spec, plan, "", {})
    (best / "provenance.json").write_text(json.dumps(provenance))
    (result / "logs").mkdir()
    note = {"definition": os.path.relpath(definition, result)}
    (result / "logs" / "run.json").write_text(json.dumps(note))
    keep_definition(definition, best / "definition")
    found = predicted(model)
    forget()
    return found


def forget() -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] in ("nets", "parts")]:
        del sys.modules[name]
    sys.modules.pop("dlutil_definition", None)
    sys.path[:] = [p for p in sys.path if "pytest-" not in p]


def predicted(model: Any) -> np.ndarray:
    return model.predict(MatrixBatchGenerator(np.eye(2, dtype="float32")))


def test_what_is_kept(tmp_path: Path) -> None:
    names = keep_definition(project(tmp_path / "a"), tmp_path / "best" / "definition")
    expected = ["my model.py", "nets.py", "parts/__init__.py", "parts/inner.py", "parts/later.py"]
    assert names[0] == "my model.py" and sorted(names) == expected
    again = keep_definition(project(tmp_path / "b"), tmp_path / "best" / "definition")
    assert again == names
    assert kept_source(tmp_path / "best") == tmp_path / "best" / "definition" / "my model.py"
    assert kept_source(tmp_path) is None
    assert os.listdir(tmp_path / "best") == ["definition"]


def test_small_files_that_it_reads_are_kept(tmp_path: Path) -> None:
    definition = project(tmp_path / "project")
    (definition.parent / "lists").mkdir()
    names = definition.parent / "lists" / "names.txt"
    names.write_text("one")
    large, outside = definition.parent / "large.bin", tmp_path / "outside"
    large.write_bytes(bytes(2 * 10**6))
    outside.write_text("")
    text = DEFINITION.replace(
        "X = ",
        "import pathlib\nT = (pathlib.Path(__file__).parent / 'lists/names.txt').read_text()\nX = ",
    )
    definition.write_text(text)
    wanted = train(definition, tmp_path / "result")
    best = tmp_path / "result" / "best"
    with pytest.raises(UserError, match=r"give the def\.py that lies beside them"):
        (definition.parent / "lists").rename(tmp_path / "lists")
        dlutil_core.load(tmp_path / "result")
    (tmp_path / "lists").rename(definition.parent / "lists")
    assert "lists/names.txt" in keep_definition(
        definition, best / "definition", [names, large, outside]
    )
    assert not (best / "definition" / "large.bin").exists()
    shutil.rmtree(definition.parent)
    assert (predicted(dlutil_core.load(tmp_path / "result")) == wanted).all()
    export(tmp_path / "result", tmp_path / "exported")
    assert (tmp_path / "exported" / "definition" / "lists" / "names.txt").read_text() == "one"


def test_a_copied_folder_loads_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    definition = project(tmp_path / "project")
    wanted = train(definition, tmp_path / "project" / "result")
    copied = shutil.copytree(tmp_path / "project" / "result", tmp_path / "else" / "copied")
    shutil.rmtree(tmp_path / "project")
    assert (predicted(dlutil_core.load(copied)) == wanted).all()
    assert f"executing {copied}/best/definition/my model.py" in capsys.readouterr().err


def test_an_edited_definition_is_not_the_model(tmp_path: Path) -> None:
    definition = project(tmp_path / "project")
    wanted = train(definition, tmp_path / "result")
    shutil.rmtree(definition.parent)
    project(definition.parent, factor=100, activation="Tanh")
    assert (predicted(dlutil_core.load(tmp_path / "result")) == wanted).all()
    export(tmp_path / "result", tmp_path / "exported")
    assert "FACTOR = 1\n" in (tmp_path / "exported/definition/parts/inner.py").read_text()
    assert not (tmp_path / "exported" / "definition" / ENTRY).exists()


def test_present_loaders_with_the_model_as_it_was_trained(tmp_path: Path) -> None:
    definition = project(tmp_path / "project")
    wanted = train(definition, tmp_path / "result")
    shutil.rmtree(definition.parent)
    project(definition.parent, factor=100, width=9)
    loaded = LoadedRun(RunSpec(str(definition), "", 1, 0, "cpu"))
    present = loaded.definition
    model = restore_model(loaded, tmp_path / "result" / "best" / "model.pt")
    assert (predicted(model) == wanted).all()
    assert present.model_class() is not type(model)
    import nets  # type: ignore[import-not-found]
    import parts.inner  # type: ignore[import-not-found]

    assert (parts.inner.FACTOR, Path(nets.__file__).parent) == (100, definition.parent)
    assert (predicted(model) == wanted).all()
    assert len(next(iter(present.test_loader("")))[0]) == 6


def test_an_unchanged_definition_is_the_model(tmp_path: Path) -> None:
    definition = project(tmp_path / "project")
    train(definition, tmp_path / "result")
    definition.write_text("# a comment\n" + DEFINITION)
    loaded = LoadedRun(RunSpec(str(definition), "", 1, 0, "cpu"))
    model = restore_model(loaded, tmp_path / "result" / "best" / "model.pt")
    assert type(model) is loaded.definition.model_class()


def test_two_results_in_one_process(tmp_path: Path) -> None:
    one = train(project(tmp_path / "one"), tmp_path / "r1")
    two = train(project(tmp_path / "two", factor=7, activation="Sigmoid"), tmp_path / "r2")
    first, second = dlutil_core.load(tmp_path / "r1"), dlutil_core.load(tmp_path / "r2")
    assert (predicted(first) == one).all() and (predicted(second) == two).all()
    assert "nets" not in sys.modules and str(tmp_path) not in "".join(sys.path)


def test_a_file_hides_no_module_that_is_imported(tmp_path: Path) -> None:
    definition = project(tmp_path / "project")
    named = definition.with_name("numpy.py")
    named.write_text("import random\n" + DEFINITION + "\n    chance = random.random\n")
    wanted = train(named, tmp_path / "result")
    for name in ("random.py", "torch.py"):
        (tmp_path / "result" / "best" / "definition" / name).write_text("raise SystemExit")
    assert (predicted(dlutil_core.load(tmp_path / "result")) == wanted).all()


def test_results_without_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = train(project(tmp_path / "project"), tmp_path / "result")
    shutil.rmtree(tmp_path / "result" / "best" / "definition")
    assert (predicted(dlutil_core.load(tmp_path / "result")) == wanted).all()
    told = capsys.readouterr().err
    assert told.startswith("warning: ") and "keeps no source of its model" in told


@pytest.mark.parametrize("name", ["../../evil.py", "/tmp/evil.py", 3, "gone.py", "link.py"])
def test_a_foreign_folder_executes_only_what_lies_in_it(name: Any, tmp_path: Path) -> None:
    train(project(tmp_path / "project"), tmp_path / "result")
    kept = tmp_path / "result" / "best" / "definition"
    (tmp_path / "evil.py").write_text("raise SystemExit")
    (kept / "link.py").symlink_to(tmp_path / "evil.py")
    (kept / ENTRY).write_text(json.dumps({"definition": name}))
    with pytest.raises(UserError, match=r"names no file beside it|there is no such file"):
        dlutil_core.load(tmp_path / "result")


def test_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "s3cr3t")
    train(project(tmp_path / "project"), tmp_path / "result", ("TOKEN_OF_TEST",))
    monkeypatch.delenv("TOKEN_OF_TEST")
    dlutil_core.load(tmp_path / "result")
    assert "TOKEN_OF_TEST" not in os.environ
    assert "another value of the environment variable TOKEN_OF_TEST" in capsys.readouterr().err
    dlutil_core.load(tmp_path / "result", env={"TOKEN_OF_TEST": "s3cr3t"})
    assert os.environ["TOKEN_OF_TEST"] == "s3cr3t"
    assert "warning" not in capsys.readouterr().err
    export(tmp_path / "result", tmp_path / "exported")
    texts = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(b"s3cr3t" in text for text in texts)
    exported = json.loads((tmp_path / "exported" / "config.json").read_text())
    assert exported["env_sha256"] == hashed_env(["TOKEN_OF_TEST"], os.environ)


def test_exported_files_have_usual_modes(tmp_path: Path) -> None:
    definition = project(tmp_path / "project")
    definition.chmod(0o600)
    train(definition, tmp_path / "result")
    export(tmp_path / "result", tmp_path / "exported")
    usual = 0o666 & ~_umask()
    files = [p for p in (tmp_path / "exported").rglob("*") if p.is_file()]
    assert {p: oct(p.stat().st_mode & 0o777) for p in files} == dict.fromkeys(files, oct(usual))


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
