"""A trained model in a notebook: texts, data frames, arrays and tensors, as by a loader."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the filters that files are written with)
import numpy as np
import pandas as pd
import pytest
import torch
from encoded import letters_of, workflows
from support import Project

import dlutil_core
from dlutil_core.batch_generator import H5pyBatchGenerator, MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.trained.new_files import predict_files


def loaded(project: Project) -> tuple[Any, np.ndarray, np.ndarray]:
    """The model in a notebook; the new records' data, and predictions of them by a loader."""
    model = dlutil_core.load(project.result)
    path = project.folder / "data" / "new.h5"
    with h5py.File(path) as file:
        data = file["data"][:]
    return model, data, model.predict(H5pyBatchGenerator(str(path), batch_size=7, labels=False))


def test_a_notebook_gives_texts_arrays_tensors_frames_or_a_loader(peaks: Project) -> None:
    model, data, wanted = loaded(peaks)
    array, _ = workflows(peaks)
    assert wanted.tobytes() == array.tobytes()
    texts = letters_of(data, "ACGT")
    raw: dict[str, Any] = {
        "list": texts,
        "tuple": tuple(texts),
        "lower case": [text.lower() + "\n" for text in texts],
        "series": pd.Series(texts, index=range(5, 5 + len(texts))),
        "array of texts": np.array(texts),
        "frame": pd.DataFrame({"id": texts, "Sequence": texts}),
    }
    inputs: dict[str, Any] = {
        "array": data,
        "floats": data.astype(np.float64),
        "tensor": torch.from_numpy(data).float(),
        "numbers": data.tolist(),
    }
    state = torch.get_rng_state()
    for name, form in raw.items():
        assert model.predict(form).tobytes() == wanted.tobytes(), name
    whole = model.predict(MatrixBatchGenerator(data))  # in other batches than get_pred_generator's
    for name, form in inputs.items():
        assert model.predict(form).tobytes() == whole.tobytes(), name
    batches = [data[:7].astype(np.float32), data[7:].astype(np.float32)]
    assert model.predict(batches).shape == whole.shape, "a list of arrays is one of batches"
    assert torch.equal(torch.get_rng_state(), state)
    one = model.predict(texts[3])
    assert one.shape == (1, 2) and np.allclose(one[0], wanted[3], atol=1e-6)
    assert copy.deepcopy(model).predict(texts).tobytes() == wanted.tobytes()


def test_what_a_notebook_gives_and_does_not_fit_is_one_sentence(peaks: Project) -> None:
    model, data, _ = loaded(peaks)
    texts = letters_of(data, "ACGT")
    wrong: list[tuple[Any, str]] = [
        ([*texts, "ACGTX" * 6], r"record 16 \(index 15\) has the letter 'X' at position 5"),
        ([texts[0], "ACGT"], r"record 2 \(index 1\) has 4 letters, but the model takes 30"),
        ([texts[0], None], r"record 2 \(index 1\) is None, but must be a text"),
        ([texts[0], " "], r"record 2 \(index 1\) is empty"),
        ([texts, texts], "takes one sequence a record, but the sequences are 2 lists"),
        (pd.DataFrame({"peak": texts}), "no column 'sequence' of sequences, but peak; name it so"),
        (pd.DataFrame({"sequence": []}), "there is no record to predict"),
        (np.array(3.0), "is a single value"),
        (None, "a value of type NoneType cannot be predicted; give an array"),
        (np.array([object(), 1]), "an array of object was given"),
        ({"a": data, "b": data[:2]}, "equally many samples"),
    ]
    for given, sentence in wrong:
        with pytest.raises(UserError, match=sentence):
            model.predict(given)
    with pytest.raises(UserError, match=r"only a model from dlutil_core\.load knows"):
        type(model)(model.config).predict(texts)


def test_a_notebook_gives_proteins_of_any_length_and_frames(proteins: Project) -> None:
    model, data, wanted = loaded(proteins)
    frame = pd.read_csv(proteins.folder / "new.tsv", sep="\t")
    assert len(set(frame["sequence"].str.len())) == 2
    for form in (frame, frame["sequence"], list(frame["sequence"])):
        assert model.predict(form).tobytes() == wanted.tobytes()
    assert model.predict(data).tobytes() == model.predict(MatrixBatchGenerator(data)).tobytes()


def test_a_notebook_gives_a_frame_of_numbers(numbers: Project) -> None:
    model, data, wanted = loaded(numbers)
    frame = pd.read_csv(numbers.folder / "new.csv")
    for form in (frame, data, frame.astype(object)):
        assert model.predict(form).tobytes() == wanted.tobytes()
    holed = frame.copy()
    holed.iloc[2, 1] = np.nan
    wrong: list[tuple[Any, str]] = [
        (frame[["width", "height", "depth"]], "the data frame: has the columns .* another order"),
        (frame[["height", "width"]], "the data frame: lacks the column depth of the table"),
        (frame.assign(depth="deep"), "the column depth holds no numbers"),
        (holed, "the column width has nan in row 3"),
        (["ACGT"], "was trained on a table of numbers, not on sequences"),
    ]
    for given, sentence in wrong:
        with pytest.raises(UserError, match=sentence):
            model.predict(given)


def test_a_frame_of_intervals_is_cut_from_the_genome(peaks: Project, tmp_path: Path) -> None:
    model, _, wanted = loaded(peaks)
    names = ["chrom", "start", "end", "id", "label"]
    frame = pd.read_csv(peaks.folder / "new.bed", sep="\t", names=names)
    assert model.predict(frame).tobytes() == wanted.tobytes()
    pyranges = frame.rename(columns=str.capitalize).rename(columns={"Chrom": "Chromosome"})
    assert model.predict(pyranges[["End", "Start", "Chromosome"]]).tobytes() == wanted.tobytes()
    bed = frame[["chrom", "start", "end"]].assign(name=".", score=0, strand="-")
    bed.to_csv(tmp_path / "minus.bed", sep="\t", header=False, index=False)
    (told,) = predict_files(peaks.result, [str(tmp_path / "minus.bed")])
    minus = pd.read_csv(told, sep="\t")["prediction"].to_numpy(np.float32)
    assert minus.tobytes() == np.ascontiguousarray(model.predict(bed)[:, 1]).tobytes()
    wrong = {
        "row": (frame.assign(start=frame.end), "line 1 has start 60 and end 60"),
        "float": (
            frame.assign(end=frame.end + 0.5),
            "line 1 has the end '60.5', which is no",
        ),
        "other": (frame.assign(chrom="chrZ"), "names the chromosome 'chrZ', which is not in"),
        "no row": (frame[:0], "no record to predict"),
        "columns": (frame[["chrom", "start"]], "has no column 'sequence' of sequences, but chrom"),
    }
    for name, (given, sentence) in wrong.items():
        with pytest.raises(UserError, match=sentence):
            model.predict(given)
            pytest.fail(name)
    shutil.copytree(peaks.result, tmp_path / "copy", ignore=shutil.ignore_patterns("logs"))
    with pytest.raises(UserError, match=r"holds intervals, .* \(load\(..., genome=...\)\)"):
        dlutil_core.load(tmp_path / "copy").predict(frame)
    there = dlutil_core.load(tmp_path / "copy", genome=str(peaks.folder / "genome.fa"))
    assert there.predict(frame).tobytes() == wanted.tobytes()
