"""`main.py`, the documented command: what it leaves, what each flag does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import front
import h5py
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from support import REPOSITORY, Finished, edit, heed_ctrl_c

SEARCH = ("-y", "-e", "-p", "new/*.h5", "test.h5")


def test_one_command_searches_tests_and_predicts(searched: tuple[Path, Finished]) -> None:
    folder, done = searched
    assert done.code == 0, done.output
    out = folder / "out"
    assert np.load(out / "predictions" / "new" / "more.h5.npy").shape == (17,)
    assert np.load(out / "predictions" / "test.h5.npy").shape == (60,)
    assert not (out / "predictions" / "train.h5.npy").exists()
    metrics = json.loads((out / "test" / "metrics.json").read_text())
    with h5py.File(folder / "data" / "test.h5") as file:
        label = file["label"][:]
    predicted = np.load(out / "predictions" / "test.h5.npy")
    assert metrics["mse"] == pytest.approx(float(np.mean((predicted - label) ** 2)), rel=1e-5)
    assert f"{metrics['mse']:.4f}" in done.output
    assert "Results are in out/" in done.output
    assert "Traceback" not in done.output
    assert "Using workflow specific profile" not in done.output
    for name in ("model.pt", "config.json", "history.csv", "leaderboard.csv"):
        assert (out / "best" / name).is_file()
    plan = json.loads((out / "search" / "plan.json").read_text())
    assert plan["max_epochs"] == 1


def test_columns_of_yes_and_no_from_the_search_to_the_report(tmp_path: Path) -> None:
    folder = front.make(tmp_path / "project")
    edit(folder / "def.py", "base_model.RegressionModel", "base_model.ClassificationModel")
    edit(
        folder / "def.py",
        "nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))",
        "base_model.ConvClassificationNetwork(nn.Linear(4, 8), nn.Linear(8, 2))",
    )
    edit(
        folder / "def.py",
        "constraints=limits",
        "constraints=limits, multi_label=True, class_weights=[1.0, 2.0]",
    )
    for seed, name in enumerate(["train", "valid", "test"]):
        x, _ = front.table(seed)
        label = np.column_stack([x[:, 0] > 0, x[:, 1] > x[:, 2]]).astype(np.int8)
        front.write_hdf5(folder / "data" / f"{name}.h5", data=x, label=label)
    done = front.run_main(folder, *SEARCH, "-ep", "3")
    assert done.code == 0, done.output
    predicted = np.load(folder / "out" / "predictions" / "test.h5.npy")
    assert predicted.shape == label.shape
    metrics = json.loads((folder / "out" / "test" / "metrics.json").read_text())
    assert metrics["accuracy"] == pytest.approx(((predicted > 0.5) == label).mean())
    areas = [roc_auc_score(label[:, k], predicted[:, k]) for k in (0, 1)]
    assert metrics["auroc"] == pytest.approx(np.mean(areas))
    assert min(areas) > 0.8
    names = (folder / "out" / "predictions" / "test.h5.tsv").read_text().partition("\n")[0]
    assert names == "name\tprediction.0\tprediction.1"
    assert "auroc" in (folder / "out" / "report.html").read_text()


def test_the_environment_reaches_def_py_and_is_part_of_the_run(
    searched: tuple[Path, Finished],
) -> None:
    out = searched[0] / "out"
    assert json.loads((out / "best" / "config.json").read_text())["scale"] == 2.0
    assert json.loads((out / "best" / "provenance.json").read_text())["config"]["env_sha256"] == {
        "SCALE": hashlib.sha256(b"SCALE=2").hexdigest()
    }


def test_the_same_command_again_does_nothing_and_a_changed_variable_trains(copied: Path) -> None:
    again = front.run_main(copied, *SEARCH, SCALE="2")
    assert again.code == 0
    assert "nothing has changed" in again.output
    changed = front.run_main(copied, *SEARCH, "--", "-n", SCALE="5")
    assert changed.planned["plan"] == changed.planned["bracket"] == 1, changed.output
    other = front.run_main(copied, *SEARCH, "--", "-n", SCALE="2", UNRELATED="5")
    assert not other.planned, "what def.py does not read does not count"


def test_without_hyper_nothing_is_trained_whatever_the_flags_say(copied: Path) -> None:
    before = (copied / "out" / "best" / "model.pt").read_bytes()
    for name in ("predictions", "test", "search/trials"):
        shutil.rmtree(copied / "out" / name)
    # The later of equal flags counts.
    flags = ("-e", "-p", "test.h5", "-ep", "9", "-bs", "7", "--seed", "5")
    done = front.run_main(copied, *flags, SCALE="2")
    assert done.code == 0, done.output
    assert "warning" not in done.output
    assert "plan:" not in done.output
    assert (copied / "out" / "best" / "model.pt").read_bytes() == before
    assert (copied / "out" / "test" / "metrics.json").is_file()
    assert (copied / "out" / "predictions" / "test.h5.npy").is_file()
    assert not (copied / "out" / "search" / "trials").exists()


def test_prediction_alone_tests_nothing(copied: Path) -> None:
    shutil.rmtree(copied / "out" / "test")
    done = front.run_main(copied, "-p", "new/more.h5", "--", "-n", SCALE="2")
    assert done.code == 0, done.output
    assert "evaluate" not in done.planned


def test_a_changed_training_part_is_warned_of_once_and_a_changed_test_part_is_not(
    copied: Path,
) -> None:
    definition = copied / "def.py"
    edit(definition, '"test.h5"))', '"test.h5"), batch_size=30)')
    done = front.run_main(copied, "-e", "--", "-n", SCALE="2")
    assert "warning" not in done.output
    assert done.planned["evaluate"] == 1
    edit(definition, "MaxNormConstraint(3.0)", "MaxNormConstraint(4.0)")
    before = (copied / "out" / "best" / "model.pt").read_bytes()
    done = front.run_main(copied, "-e", SCALE="2")
    assert done.code == 0, done.output
    sentence = "warning: the training part of def.py has changed since the search in out;"
    assert done.output.count(sentence) == 1, done.output
    assert (copied / "out" / "best" / "model.pt").read_bytes() == before
    again = front.run_main(copied, "-e", SCALE="2")
    assert again.output.count(sentence) == 1, "also when nothing is to be done"
    front.write_config(copied, search={"method": "existing"}, data_files=None, env={"SCALE": "2"})
    plain = front.snakemake(copied, "--configfile", "config.yaml", "-n")
    assert plain.output.count(sentence) == 1, plain.output


def test_a_changed_model_is_not_put_under_the_weights_that_were_trained(copied: Path) -> None:
    before = (copied / "out" / "predictions" / "test.h5.npy").read_bytes()
    text = (copied / "def.py").read_text()
    (copied / "def.py").write_text(text.replace("(4, 8)", "(4, 9)").replace("(8, 1)", "(9, 1)"))
    shutil.rmtree(copied / "out" / "predictions")
    done = front.run_main(copied, "-p", "test.h5", SCALE="2")
    assert done.code == 0, done.output
    assert "the model is that of out/best/definition/def.py" in done.output
    assert (copied / "out" / "predictions" / "test.h5.npy").read_bytes() == before


def test_debug_prints_network_and_optimizer_and_keeps_apart(copied: Path) -> None:
    before = front.result_files(copied / "out")
    done = front.run_main(copied, "--debug", "-e", "-c", SCALE="2")
    assert done.code == 0, done.output
    assert "Sequential(" in done.output
    assert "Linear(in_features=4, out_features=8" in done.output
    assert "Adam (" in done.output
    debug = copied / "out" / "debug"
    plan = json.loads((debug / "search" / "plan.json").read_text())
    assert (plan["max_epochs"], len(plan["trials"])) == (1, 1)
    provenance = json.loads((debug / "best" / "provenance.json").read_text())
    assert provenance["config"]["batch_size"] == 2
    assert (debug / "test" / "metrics.json").is_file()
    after = [n for n in front.result_files(copied / "out") if not n.startswith("debug/")]
    assert after == before


def test_what_follows_two_dashes_goes_to_snakemake(fresh: Path) -> None:
    done = front.run_main(fresh, "-y", "-e", "--", "-n")
    assert done.code == 0, done.output
    assert "This was a dry-run" in done.output
    assert done.planned["bracket"] == 1
    assert front.result_files(fresh / "out") == []


def test_ctrl_c_is_no_error(tmp_path: Path) -> None:
    waiting = """def get_train_generator(data_dir, batch_size):
    import time

    open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "begun"), "w").close()
    time.sleep(600)
"""
    head = "def get_train_generator(data_dir, batch_size):\n"
    folder = front.make(tmp_path, front.DEFINITION.replace(head, waiting))
    words = ["-f", "def.py", "-d", "data", "-r", "out", "-y", "-ep", "1", "--cores", "1"]
    run = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "main.py"), *words],
        cwd=folder,
        env=front.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )
    while not (folder / "begun").exists() and run.poll() is None:
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 130, output
    assert output.splitlines()[-1] == "interrupted: the same command goes on where it stopped"
    assert "error" not in output and "Traceback" not in output


def test_help_names_every_flag() -> None:
    done = front.main_py(Path.cwd(), "--help")
    assert done.code == 0
    flags = "--model --hyper --eval --debug --cpu --data --result --predict --epoch --batch-size"
    for flag in (*flags.split(), "--seed", "--cores", "-f", "-y", "-e", "-c", "-d", "-r", "-p"):
        assert flag in done.output
    for flag in ("-ep", "-bs"):
        assert flag in done.output


def test_from_another_folder_with_paths_that_have_spaces(tmp_path: Path) -> None:
    folder = front.make(tmp_path / "my project é")
    (folder / "def.py").rename(folder / "my model.py")
    (folder / "data").rename(folder / "my data")
    (folder / "my data" / "new" / "more.h5").rename(folder / "my data" / "new" / "it's 1 more.h5")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    common = ["-f", "../my project é/my model.py", "-d", str(folder / "my data"), "-r", "a result"]
    flags = ["-y", "-p", "new/*more.h5", "-ep", "1", "--cores", "2"]
    done = front.main_py(elsewhere, *common, *flags)
    assert done.code == 0, done.output
    assert (elsewhere / "a result" / "predictions" / "new" / "it's 1 more.h5.npy").is_file()
    assert not (elsewhere / "a result" / "test").exists()
