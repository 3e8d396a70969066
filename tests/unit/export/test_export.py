"""A trained model taken away: `dlutil_core.load`, and the export folder, in fresh processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support import DEFINITION, REPOSITORY, Project

from dlutil_core.common.errors import UserError
from dlutil_core.export.exporting import export
from dlutil_core.job.run_spec import hashed_env
from dlutil_core.model.safetensors_file import read_tensors, write_tensors

CONFIGURATION = {"units": 8, "lr": 0.05, "dropout": 0.1, "momentum": 0.5}

# What an exported model must not need.
BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"snakemake", "jsonschema", "yaml", "matplotlib", "rich"}:
            raise ImportError(name)
sys.meta_path.insert(0, Block())
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A trained model of one configuration; its `save` adds a text and a tensor."""
    own = """
    def save(self, path=None):
        return super().save(path) | {"own": {"note": "kept", "numbers": [torch.arange(3), 1.5]}}

    def load(self, state):
        super().load(state)
        self.own = state["own"]
"""
    definition = DEFINITION.replace(
        "    def before_epoch(self):", own + "\n    def before_epoch(self):"
    )
    folder = tmp_path_factory.mktemp("export") / "project"
    search = {"method": "fixed", "max_epochs": 3, "config": CONFIGURATION}
    project = Project.make(folder, definition, search=search)
    project.succeed()
    return project


@pytest.fixture(scope="module")
def exported(finished: Project) -> Path:
    """Its export, far from the project."""
    out = finished.folder.parent / "elsewhere" / "model"
    export(finished.result, out, None)
    return out


def python(code: str, folder: Path, *arguments: str) -> str:
    """Run code in a fresh process in `folder`, with nothing of the project to be found."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH",)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def features(project: Project) -> np.ndarray:
    """The inputs that the project predicted."""
    return np.load(project.folder / "data" / "new.npy")[:, :4]


def predicted(project: Project) -> np.ndarray:
    return np.load(project.result / "predictions" / "new.npy.npy")


def test_load_gives_the_trained_model_in_a_fresh_process(finished: Project, tmp_path: Path) -> None:
    shutil.copyfile(finished.folder / "data" / "new.npy", tmp_path / "new.npy")
    code = f"""
import sys; sys.path.insert(0, {str(REPOSITORY)!r})
import numpy as np, dlutil_core
from dlutil_core.batch_generator import MatrixBatchGenerator
model = dlutil_core.load({str(finished.result)!r})
x = np.load("new.npy")[:, :4]
np.save("y.npy", model.predict(MatrixBatchGenerator(x, batch_size=50)))
print(model.config["units"])
"""
    assert python(code, tmp_path).strip() == "8"
    assert (np.load(tmp_path / "y.npy") == predicted(finished)).all()


def test_load_says_what_is_missing(finished: Project, tmp_path: Path) -> None:
    import dlutil_core

    with pytest.raises(UserError, match="holds no trained model"):
        dlutil_core.load(tmp_path)
    shutil.copytree(finished.result, tmp_path / "out", ignore=shutil.ignore_patterns("logs"))
    assert dlutil_core.load(tmp_path / "out").config == CONFIGURATION
    # As version 0.1 left a result folder: without the model's source.
    shutil.rmtree(tmp_path / "out" / "best" / "definition")
    with pytest.raises(UserError, match=r"give the path of def\.py"):
        dlutil_core.load(tmp_path / "out")
    model = dlutil_core.load(tmp_path / "out", str(finished.folder / "def.py"))
    assert model.config == CONFIGURATION
    shutil.copytree(finished.result, tmp_path / "moved" / "out")
    shutil.rmtree(tmp_path / "moved" / "out" / "best" / "definition")
    with pytest.raises(UserError, match="is not there any more"):
        dlutil_core.load(tmp_path / "moved" / "out")


def test_export_predicts_the_same_without_snakemake(finished: Project, exported: Path) -> None:
    folder = exported.parent
    shutil.copyfile(finished.folder / "data" / "new.npy", folder / "new.npy")
    code = BLOCK + "import runpy; sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__'); "
    code += "import dlutil_core; print(dlutil_core.__file__)"
    used = python(code, folder, str(exported / "predict.py"), "new.npy", "y.npy")
    assert Path(used.strip()) == exported / "dlutil_core" / "__init__.py"
    assert (np.load(folder / "y.npy") == predicted(finished)).all()


def test_export_predicts_arrays_and_writes_tables(finished: Project, exported: Path) -> None:
    folder = exported.parent
    command = [sys.executable, str(exported / "predict.py")]
    absent = [*command, str(folder / "absent.npy"), "y.tsv"]
    done = subprocess.run(absent, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "there is no such file" in done.stderr
    np.save(folder / "x.npy", features(finished))
    subprocess.run([*command, "--array", "x.npy", "y.tsv"], cwd=folder, check=True)
    found = np.loadtxt(folder / "y.tsv", skiprows=1)
    assert (folder / "y.tsv").read_text().startswith("name\tprediction\n")
    assert found[:, 1] == pytest.approx(predicted(finished), abs=1e-6)


def test_export_carries_what_an_own_save_adds_and_local_modules(exported: Path) -> None:
    assert (exported / "definition" / "features.py").is_file()
    state = read_tensors(exported / "weights.safetensors")
    assert state["own"]["note"] == "kept"
    assert state["own"]["numbers"][0].tolist() == [0, 1, 2]
    config = json.loads((exported / "config.json").read_text())
    assert config["config"] == CONFIGURATION
    env = {"DLUTIL_TEST_UNITS": "volts"}
    assert config["env_sha256"] == hashed_env(env, env)


def test_networks_alone_predict_the_same(finished: Project, exported: Path) -> None:
    x = torch.from_numpy(features(finished))
    expected = predicted(finished)
    program = torch.export.load(exported / "model.pt2")
    with torch.no_grad():
        assert program.module()(x).numpy() == pytest.approx(expected, abs=1e-5)
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    loaded = runtime.InferenceSession(exported / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = loaded.run(None, {loaded.get_inputs()[0].name: x.numpy()})
    assert found == pytest.approx(expected, abs=1e-5)


def test_model_card_tells_data_metrics_limits_and_licence(
    finished: Project, exported: Path
) -> None:
    card = (exported / "README.md").read_text()
    for head in ("## Use", "## Data", "## Metrics", "## Limits", "## Licence"):
        assert head in card
    metrics = json.loads((finished.result / "test" / "metrics.json").read_text())
    assert f"| mse | {metrics['mse']:.5g} |" in card
    assert str(finished.folder) not in card
    needed = (exported / "requirements.txt").read_text()
    for name in ("torch", "numpy", "safetensors"):
        assert f"{name}=" in needed or f"{name}>" in needed
    assert "snakemake" not in needed and "dlutil" not in needed


def test_export_replaces_an_export_and_nothing_else(finished: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds something else than an export"):
        export(finished.result, out, None)
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]
    (out / "thesis.txt").unlink()
    export(finished.result, out, None)
    (out / "stale.txt").write_text("old")
    export(finished.result, out, None)
    assert (out / "predict.py").is_file() and not (out / "stale.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_network_that_cannot_be_exported_is_told_in_the_card(tmp_path: Path) -> None:
    loops = """
class Odd(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        if float(x.sum()) > 1e9:
            return self.inner(x) * 2
        return self.inner(x)

"""
    definition = DEFINITION.replace("class Model(", loops + "class Model(").replace(
        "super().init_model(network, optimizer)", "super().init_model(Odd(network), optimizer)"
    )
    search = {"method": "fixed", "max_epochs": 1, "config": CONFIGURATION}
    project = Project.make(tmp_path / "project", definition, search=search, evaluate=False)
    project.succeed()
    export(project.result, tmp_path / "out", None)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "* torch.export: Not written: " in card
    assert "The model was not tested on held-out data." in card
    assert not (tmp_path / "out" / "model.pt2").exists()


def test_tensor_files_hold_nested_content(tmp_path: Path) -> None:
    shared = torch.ones(2, 3)
    content = {"a": shared, "b": {"c": [shared[0], {"d": 1, "e": None}]}, "f": "text", "g": []}
    write_tensors(tmp_path / "x.safetensors", content)
    found = read_tensors(tmp_path / "x.safetensors")
    assert torch.equal(found["a"], shared) and torch.equal(found["b"]["c"][0], shared[0])
    assert found["b"]["c"][1] == {"d": 1, "e": None} and found["f"] == "text" and found["g"] == []
