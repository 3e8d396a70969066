"""Plain Snakemake: from other folders, as a module, fixed searches, jobs that need no torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import front
import numpy as np
from support import REPOSITORY

from dlutil_core.common.files import read_csv

SNAKEFILE = REPOSITORY / "workflow" / "Snakefile"

POISON = 'raise ImportError("this job has no business with torch")\n'

OVERRIDING = (
    front.DEFINITION
    + """

    def fit(self, train, val=None, epochs=1, first_epoch=1, seed=0, on_epoch=None):
        self.note("fit")
        return super().fit(train, val, epochs, first_epoch, seed, on_epoch)

    def fit_batch(self, x, y):
        done = super().fit_batch(x, y)
        with torch.no_grad():
            self.network[2].bias.zero_()
        return done

    def evaluate(self, loader):
        return super().evaluate(loader) | {"own": 7.0}

    def predict(self, loader):
        return super().predict(loader) + 1000

    def get_hyperband_reward(self, result):
        return result["val_own"] - result["val_mse"]

    def save(self, path=None):
        return super().save(path) | {"extra": {"bias": float(self.network[2].bias)}}

    def load(self, state):
        super().load(state)
        self.extra = state["extra"]

    def note(self, text):
        with open("notes.txt", "a") as file:
            file.write(text + "\\n")


def save_prediction(pred_subpath, Y):
    np.savetxt("saved.txt", Y)
"""
)


def test_from_another_folder_with_the_working_directory_named(tmp_path: Path) -> None:
    folder = front.make(tmp_path / "project")
    front.write_config(folder, search={"method": "fixed", "max_epochs": 2, "config": {"lr": 0.02}})
    (tmp_path / "elsewhere").mkdir()
    arguments = ["--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    arguments += ["--", "out/best/history.csv"]
    done = front.snakemake(tmp_path / "elsewhere", *arguments)
    assert done.code == 0, done.output
    assert list((tmp_path / "elsewhere").iterdir()) == []
    plan = json.loads((folder / "out" / "search" / "plan.json").read_text())
    assert plan["method"] == "fixed"
    assert [t["config"] for t in plan["trials"]] == [{"lr": 0.02}]
    assert len(read_csv(folder / "out" / "best" / "history.csv")) == 2
    again = front.snakemake(tmp_path / "elsewhere", *arguments)
    assert "Nothing to be done" in again.output
    # The search of a known configuration needs no get_config.
    text = (folder / "def.py").read_text()
    (folder / "def.py").write_text(text.replace("def get_config", "def no_search"))
    dry = front.snakemake(folder, "--configfile", "config.yaml", "-n")
    assert dry.code == 0, dry.output


def test_as_a_module_of_another_workflow(fresh: Path) -> None:
    front.write_config(fresh, predict=["new/*.h5"])
    (fresh / "Snakefile").write_text(
        'configfile: "config.yaml"\n\n'
        "module dlutil:\n"
        f'    snakefile: "{SNAKEFILE}"\n'
        "    config: config\n\n"
        "use rule * from dlutil as dlutil_*\n\n"
        "rule summary:\n"
        '    input: "out/predictions/new/more.h5.npy", "out/test/metrics.json"\n'
        '    output: "summary.txt"\n'
        '    shell: "wc -c {input} > {output}"\n\n'
        "rule everything:\n"
        '    input: "summary.txt"\n'
        "    default_target: True\n"
    )
    done = front.call([sys.executable, "-m", "snakemake", "--cores", "2"], fresh)
    assert done.code == 0, done.output
    assert (fresh / "summary.txt").is_file()


def test_overridden_methods_work_in_a_whole_search(tmp_path: Path) -> None:
    folder = front.make(tmp_path / "project", OVERRIDING)
    front.write_config(folder, search={"max_epochs": 3}, predict=["test.h5"])
    targets = ["--", "out/test/metrics.json", "out/predictions/test.h5.npy"]
    done = front.snakemake(folder, "--configfile", "config.yaml", *targets)
    assert done.code == 0, done.output
    out = folder / "out"
    assert "fit" in (folder / "notes.txt").read_text()
    metrics = json.loads((out / "test" / "metrics.json").read_text())
    assert metrics["own"] == 7.0
    predicted = np.load(out / "predictions" / "test.h5.npy")
    assert predicted.mean() > 900
    assert np.allclose(np.loadtxt(folder / "saved.txt"), predicted)
    rows = read_csv(out / "best" / "history.csv")
    assert all(float(r["reward"]) == 7.0 - float(r["val_mse"]) for r in rows)
    import torch

    content = torch.load(out / "best" / "model.pt", weights_only=True)
    assert content["extra"] == {"bias": 0.0}
    assert content["weights"]["2.bias"] == 0
    # A later search goes on from its checkpoints, through the overridden load.
    front.write_config(folder, search={"max_epochs": 4}, predict=["test.h5"])
    (folder / "notes.txt").unlink()
    grown = front.snakemake(folder, "--configfile", "config.yaml", "--", "out/best/model.pt")
    assert grown.code == 0, grown.output
    assert (folder / "notes.txt").is_file()


def test_jobs_that_need_no_torch_do_not_import_it(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "poisoned").mkdir()
    (tmp_path / "poisoned" / "torch.py").write_text(POISON)
    path = str(tmp_path / "poisoned")
    front.write_config(
        copied,
        search={"max_epochs": 1},
        env={"SCALE": "2"},
        data_files=None,
        device="auto",
        predict=["new/*.h5", "test.h5"],
    )
    for name in ("best/config.json", "best/leaderboard.csv", "MANIFEST.sha256"):
        (copied / "out" / name).unlink()
    arguments = ["--configfile", "config.yaml"]
    only = ["--allowed-rules", "select", "manifest", "all", "--"]
    done = front.snakemake(copied, *arguments, *only, "out/best/config.json", PYTHONPATH=path)
    assert done.code == 0, done.output
    assert done.ran["select"] == 1, done.output
    trained = front.snakemake(
        copied, *arguments, "--forcerun", "evaluate", "--", "out/test/metrics.json", PYTHONPATH=path
    )
    assert "no business with torch" in trained.output, "the poison works"


def test_a_given_config_is_not_mixed_with_the_default_one(tmp_path: Path) -> None:
    """The repository's own config/config.yaml lies in the working directory."""
    folder = front.make(tmp_path / "project")
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text("predict: [nowhere.h5]\nseed: 99\n")
    front.write_config(folder)
    done = front.snakemake(folder, "--configfile", "config.yaml", "-n")
    assert done.code == 0, done.output
    assert "predict" not in done.planned
