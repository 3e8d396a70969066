"""The table of predictions: names, coordinates and classes beside the numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.model.checkpoint import write_checkpoint
from dlutil_core.preprocess.kept_encoding import KeptEncoding
from dlutil_core.preprocess.pipeline import preprocess
from dlutil_core.report.performance import draw_performance
from dlutil_core.trained.evaluate import evaluate_best
from dlutil_core.trained.predict import predict_file, write_table
from dlutil_core.trained.prediction_table import PredictionTable

DEFINITION = """
import torch
from torch import nn
from dlutil_core import base_model, batch_generator

def get_train_generator(data_dir, batch_size):
    loader = batch_generator.H5pyBatchGenerator(data_dir + "/train.h5")
    return loader, loader

def get_test_generator(data_dir):
    return batch_generator.H5pyBatchGenerator(data_dir + "/train.h5")

def get_pred_generator(path):
    return batch_generator.H5pyBatchGenerator(path)

class Model(base_model.ClassificationModel):
    def init_model(self):
        classifier = nn.Linear(16, 3)
        network = base_model.ConvClassificationNetwork(nn.Flatten(1), classifier)
        super().init_model(network, torch.optim.SGD(network.parameters(), 0.1))
"""


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Three named classes from BED, and a model that was never trained."""
    (tmp_path / "g.fa").write_text(">chr1\n" + "ACGTTGCAACGG" * 4 + "\n")
    lines = "".join(
        f"chr1\t{i}\t{i + 4}\tp{i % 2}\t{['a<b', 'c', 'd'][i % 3]}\t+\n" for i in range(12)
    )
    (tmp_path / "a.bed").write_text(lines)
    (tmp_path / "new.bed").write_text("chr1\t10\t14\tpeak_1\t0\t-\nchr1\t15\t19\tpeak_1\t0\t+\n")
    section = {
        "genome": str(tmp_path / "g.fa"),
        "train": {"sequences": str(tmp_path / "a.bed")},
        "predict": {"new": {"sequences": str(tmp_path / "new.bed")}},
        "columns": {"label": 5},
    }
    preprocess(section, tmp_path, 1)
    (tmp_path / "def.py").write_text(DEFINITION)
    loaded = LoadedRun(
        RunSpec(str(tmp_path / "def.py"), str(tmp_path), batch_size=4, seed=1, device="cpu")
    )
    with loaded.on_device():
        content = loaded.model({}).save() | {"config": {}}
    write_checkpoint(tmp_path / "model.pt", content)
    return loaded


def table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_names_and_intervals_and_classes_stand_beside_predictions(run: Any, tmp_path: Path) -> None:
    with run.on_device():
        predict_file(run, [tmp_path / "model.pt"], "new.h5", tmp_path / "out.npy")
    head, first, second = table(tmp_path / "out.tsv")
    assert head == ["name", "interval", "prediction.a<b", "prediction.c", "prediction.d"]
    assert first[:2] == ["peak_1", "chr1:10-14(-)"] and second[:2] == ["peak_1", "chr1:15-19(+)"]
    predictions = np.load(tmp_path / "out.npy")
    assert np.array_equal(predictions, np.array([first[2:], second[2:]], np.float32))


def test_a_set_with_labels_is_predicted_too(run: Any, tmp_path: Path) -> None:
    with run.on_device():
        predict_file(run, [tmp_path / "model.pt"], "train.h5", tmp_path / "out.npy")
    assert len(table(tmp_path / "out.tsv")) == 13


def test_a_set_without_records_gives_an_empty_table(run: Any, tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["data"] = np.zeros((0, 4, 1, 4), np.uint8)
    with run.on_device():
        predict_file(run, [tmp_path / "model.pt"], "empty.h5", tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").shape == (0,)
    assert table(tmp_path / "out.tsv") == [["name", "prediction"]]


def test_the_test_knows_the_names_of_classes(run: Any, tmp_path: Path) -> None:
    with run.on_device():
        evaluate_best(run, tmp_path / "model.pt", tmp_path)
    with np.load(tmp_path / "outputs.npz") as arrays:
        assert arrays["classes"].tolist() == ["a<b", "c", "d"]
    draw_performance(tmp_path / "outputs.npz", tmp_path)
    for name in ("performance", "errors"):
        svg = ElementTree.parse(tmp_path / f"{name}.svg")
        assert "a<b" in "".join(svg.getroot().itertext())


@pytest.mark.parametrize(
    "shape,classes,titles",
    [
        ((2,), ["no", "yes"], ["prediction.yes"]),
        ((2, 1), ["no", "yes"], ["prediction.yes"]),
        ((2, 2), ["no", "yes"], ["prediction.no", "prediction.yes"]),
        ((2, 3), ["no", "yes"], ["prediction.0", "prediction.1", "prediction.2"]),
        ((2,), None, ["prediction"]),
    ],
)
def test_titles_of_predictions(tmp_path: Path, shape: Any, classes: Any, titles: Any) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        if classes:
            file.attrs["classes"] = classes
    write_table(tmp_path / "out.tsv", str(tmp_path / "a.h5"), np.zeros(shape, np.float32))
    assert table(tmp_path / "out.tsv")[0] == ["name", *titles]


def test_classes_of_several_labels_have_their_names(tmp_path: Path) -> None:
    titles, classes = ("liver", "heart", "brain"), (("no", "yes"), None, ("off", "on"))
    found = np.array([[0.9, 0.9, 0.5], [0.1, 0.2, 0.6]], np.float32)
    encoding = KeptEncoding("sequences", classes=classes, labels=titles)
    table_of = PredictionTable(str(tmp_path / "no.h5"), found, encoding, classes=False, labels=True)
    columns = dict(table_of.columns())
    assert list(columns) == [
        *("name", "prediction.liver", "prediction.heart", "prediction.brain"),
        *("class.liver", "class.brain"),
    ]
    assert columns["class.liver"] == ["yes", "no"] and columns["class.brain"] == ["off", "on"]
    numbers = replace(table_of, labels=False)  # a model of one's own may give anything
    assert "class.liver" not in dict(numbers.columns())


def test_a_label_of_three_classes_among_others_has_a_column_for_each(tmp_path: Path) -> None:
    classes = (("bud", "leaf", "root"), ("no", "yes"))
    encoding = KeptEncoding("sequences", classes=classes, labels=("organ", "old"))
    found = np.full((2, 4), 0.25, np.float32)
    columns = PredictionTable(str(tmp_path / "no.h5"), found, encoding, classes=False).columns()
    organ = [f"prediction.organ.{name}" for name in ("bud", "leaf", "root")]
    assert [title for title, _ in columns] == ["name", *organ, "prediction.old"]


def test_spreads_stand_behind_the_predictions(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["classes"] = ["no", "yes"]
    values, spread = np.array([0.25, 0.5], np.float32), np.array([0.1, 0.2], np.float32)
    write_table(tmp_path / "out.tsv", str(tmp_path / "a.h5"), values, spread)
    assert table(tmp_path / "out.tsv")[:2] == [
        ["name", "prediction.yes", "sd"],
        ["0", "0.25", "0.1"],
    ]
    several = [np.stack([1 - part, part], axis=1) for part in (values, spread)]
    write_table(tmp_path / "out.tsv", str(tmp_path / "a.h5"), *several)
    titles = ["name", "prediction.no", "prediction.yes", "sd.no", "sd.yes"]
    assert table(tmp_path / "out.tsv")[0] == titles
    told = PredictionTable(
        str(tmp_path / "a.h5"), several[0], KeptEncoding(), classes=True, spread=several[1]
    )
    assert [title for title, _ in told.columns()] == ["name", "prediction", "sd", "class"]
    assert list(told.columns()[2][1]) == ["0.1", "0.2"], "the second class's"


@pytest.mark.parametrize("dataset", ["name", "interval"])
def test_other_numbers_of_names_are_a_sentence(tmp_path: Path, dataset: str) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[dataset] = [b"a", b"b", b"c"]
    with pytest.raises(UserError, match=rf"a\.h5: has {dataset}s of 3 records, but .* gave 2"):
        write_table(tmp_path / "out.tsv", str(tmp_path / "a.h5"), np.zeros(2, np.float32))
    assert not (tmp_path / "out.tsv").exists()
