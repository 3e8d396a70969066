"""Executing a `def.py`: what is missing or wrong is one sentence with its place."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.definition.executed import Definition, is_one_shot, line_in, told

MODEL = """
import numpy as np
from dlutil_core import base_model, batch_generator

class Model(base_model.RegressionModel):
    pass

def loader(n=4):
    return batch_generator.MatrixBatchGenerator(np.ones((n, 2)), np.ones(n))
"""


def made(folder: Path, text: str, name: str = "def.py") -> Definition:
    path = folder / name
    path.write_text(text)
    return Definition(path)


def refused(act: Any, *pieces: str) -> str:
    """The sentence that `act` ends with, after checking that all pieces are in it."""
    with pytest.raises(UserError) as caught:
        act()
    text = str(caught.value)
    assert "\n" not in text
    for piece in pieces:
        assert piece in text, text
    return text


def test_a_file_that_cannot_be_executed(tmp_path: Path) -> None:
    refused(lambda: Definition(tmp_path / "none.py"), "none.py", "no such file", "give the path")
    refused(lambda: made(tmp_path, "x = 1\ndef f(:\n"), "def.py", "line 2", "syntax error")
    refused(lambda: made(tmp_path, "x = 1\ny = x / 0\n"), "line 2", "ZeroDivisionError")
    refused(lambda: made(tmp_path, "import no_such_thing"), "line 1", "no_such_thing")
    refused(lambda: made(tmp_path, "import sys; sys.exit(3)"), "ended the program (3)")


def test_a_syntax_error_in_a_module_beside_it_names_that_module(tmp_path: Path) -> None:
    (tmp_path / "besides_broken.py").write_text("def f(:\n")
    refused(lambda: made(tmp_path, "import besides_broken"), "besides_broken.py", "line 1")


def test_any_file_name_and_modules_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_def.py").write_text("VALUE = 7")
    found = made(tmp_path, "from beside_def import VALUE", name="my model-2.txt")
    assert found.module.VALUE == 7
    assert str(tmp_path) in sys.path


def test_what_is_missing_is_named_with_its_signature(tmp_path: Path) -> None:
    found = made(tmp_path, MODEL)
    refused(lambda: found.train_loaders("d", 2), "get_train_generator is missing", "batch_size")
    refused(lambda: found.test_loader("d"), "get_test_generator(data_dir)", "evaluation")
    refused(lambda: found.prediction_loader("d"), "get_pred_generator(pred_path)")
    refused(lambda: found.get("get_config", "the search"), "get_config()", "the search needs")
    empty = made(tmp_path, "Model = 3\nget_config = {}")
    refused(empty.model_class, "Model is 3", "must be callable")
    refused(lambda: empty.get("get_config", "the search"), "get_config is {}", "callable")
    wrong = made(tmp_path, "class Model: pass")
    refused(wrong.model_class, "extends base_model.BaseModel")


def test_a_function_that_raises_is_a_sentence_with_the_line(tmp_path: Path) -> None:
    text = MODEL + "\ndef get_test_generator(data_dir):\n    return open(data_dir + '/no.csv')\n"
    found = made(tmp_path, text)
    line = text.splitlines().index("    return open(data_dir + '/no.csv')") + 1
    refused(
        lambda: found.test_loader("/nowhere"),
        "def.py: get_test_generator failed",
        f"line {line}",
        "FileNotFoundError",
        "/nowhere/no.csv",
    )


def test_training_and_validation_loaders(tmp_path: Path) -> None:
    one = MODEL + "def get_train_generator(data_dir, batch_size): return loader()\n"
    refused(lambda: made(tmp_path, one).train_loaders("d", 2), "get_val_generator is missing")
    two = one + "def get_val_generator(data_dir): return loader(3)\n"
    train, val = made(tmp_path, two).train_loaders("d", 2)
    assert (train.samples, val.samples) == (4, 3)
    pair = MODEL + "def get_train_generator(data_dir, batch_size): return loader(), loader(2)\n"
    train, val = made(tmp_path, pair).train_loaders("d", 2)
    assert (train.samples, val.samples) == (4, 2)


def test_without_validation_the_reward_must_be_ones_own(tmp_path: Path) -> None:
    own = MODEL + "def get_train_generator(data_dir, batch_size): return loader()\n"
    own = own.replace("    pass", "    def get_hyperband_reward(self, result): return 1")
    train, val = made(tmp_path, own).train_loaders("d", 2)
    assert train.samples == 4
    assert val is None


def test_data_dir_and_batch_size_reach_the_loaders(tmp_path: Path) -> None:
    text = MODEL + (
        "def get_train_generator(data_dir, batch_size):\n"
        "    return [(data_dir, batch_size)], [data_dir]\n"
    )
    assert made(tmp_path, text).train_loaders("some/data", 7) == (
        [("some/data", 7)],
        ["some/data"],
    )


class Restarting:
    """Its own iterator, which begins anew when it is asked for."""

    def __iter__(self) -> Restarting:
        self.left = 2
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.left


class Exhausted(Restarting):
    def __init__(self) -> None:
        self.left = 2

    def __iter__(self) -> Exhausted:
        return self


class Keeping:
    """Gives out one and the same iterator."""

    def __init__(self) -> None:
        self.kept = iter([1, 2])

    def __iter__(self) -> Any:
        return self.kept


def test_what_can_be_iterated_once_only_is_told_apart() -> None:
    x, y = np.ones((4, 1)), np.ones(4)
    data = TensorDataset(torch.ones(4, 1), torch.ones(4))
    again: list[Any] = [
        MatrixBatchGenerator(x, y, 2),
        [(x, y)],
        DataLoader(data, batch_size=2),
        DataLoader(data, batch_size=2, num_workers=1, persistent_workers=True),
        Restarting(),
    ]
    once: list[Any] = [
        (b for b in [1, 2]),
        iter([1, 2]),
        map(str, [1, 2]),
        zip([1], [2], strict=True),
        Exhausted(),
        Keeping(),
    ]
    assert [is_one_shot(loader) for loader in again] == [False] * len(again)
    assert [is_one_shot(loader) for loader in once] == [True] * len(once)


def test_loaders_that_are_none_are_refused(tmp_path: Path) -> None:
    def test_loader(body: str) -> Any:
        text = MODEL + f"def get_test_generator(data_dir):\n    {body}\n"
        return made(tmp_path, text).test_loader("d")

    refused(lambda: test_loader("yield 1"), "generator", "only once", "MatrixBatchGenerator")
    refused(lambda: test_loader("pass"), "returned NoneType", "an iterable of batches")
    refused(lambda: test_loader("return 3"), "returned int")
    dataset = (
        "from torch.utils.data import TensorDataset; import torch; "
        "return TensorDataset(torch.ones(3), torch.ones(3))"
    )
    refused(lambda: test_loader(dataset), "returned TensorDataset", "DataLoader(dataset)")


def test_loaders_without_labels_are_refused_except_to_predict(tmp_path: Path) -> None:
    unlabelled = MODEL + (
        "def get_test_generator(data_dir):\n"
        "    return batch_generator.MatrixBatchGenerator(np.ones(3))\n"
        "get_pred_generator = get_test_generator\n"
        "def get_train_generator(data_dir, batch_size): return loader(), get_test_generator('')\n"
    )
    found = made(tmp_path, unlabelled)
    refused(lambda: found.test_loader("d"), "get_test_generator", "without labels", "give it Y")
    refused(lambda: found.train_loaders("d", 2), "get_val_generator", "without labels")
    assert not found.prediction_loader("d").has_labels


def test_the_dataset_of_labels_that_a_loader_asks_for_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"], file["label"] = np.ones((3, 2)), np.ones(3)
    text = "def get_test_generator(d): return batch_generator.H5pyBatchGenerator(d, label='y')\n"
    found = made(tmp_path, MODEL + text)
    refused(lambda: found.test_loader(str(tmp_path / "a.h5")), "no dataset 'y'", "label='y_train'")


def test_tokens_that_became_floats_are_hinted_at() -> None:
    tokens = np.arange(6).reshape(3, 2)
    embedding, layer = torch.nn.Embedding(6, 2), torch.nn.Linear(2, 1)
    (floats,) = MatrixBatchGenerator(tokens)
    with pytest.raises(RuntimeError) as caught:
        embedding(torch.from_numpy(floats))
    assert "torch.from_numpy(X)" in told(caught.value, "def.py")
    (kept,) = MatrixBatchGenerator(torch.from_numpy(tokens))
    assert embedding(kept).shape == (3, 2, 2)
    with pytest.raises(RuntimeError) as caught:
        layer(kept)
    assert "X.float()" in told(caught.value, "def.py")


def test_a_definition_is_a_module_that_can_be_found_by_name(tmp_path: Path) -> None:
    found = made(tmp_path, MODEL)
    module = sys.modules["dlutil_definition"]
    assert isinstance(module, types.ModuleType)
    assert found.model_class().__module__ == "dlutil_definition"


@pytest.mark.parametrize("leave", ["raise SystemExit(2)", "import sys; sys.exit(2)", "exit(2)"])
def test_a_function_that_ends_the_program_is_a_sentence(leave: str, tmp_path: Path) -> None:
    text = MODEL.replace("    pass\n", f"    def init_model(self):\n        {leave}\n")
    text += f"\ndef get_config():\n    {leave}\n\ndef get_test_generator(data_dir):\n    {leave}\n"
    found = made(tmp_path, text)
    refused(
        lambda: found.call("get_config", found.module.get_config),
        "def.py: get_config ended the program (2) in line 13",
        "instead of calling sys.exit",
    )
    refused(lambda: found.test_loader("data"), "get_test_generator ended the program (2)")
    refused(lambda: found.model({}), "init_model ended the program (2) in line 7")


def test_a_loader_that_ends_the_program_when_it_is_tried_is_a_sentence(tmp_path: Path) -> None:
    text = "class L:\n    def __iter__(self):\n        raise SystemExit\n\n"
    found = made(tmp_path, MODEL + text + "def get_pred_generator(path):\n    return L()\n")
    refused(lambda: found.prediction_loader("x"), "get_pred_generator ended the program")


def test_the_working_folder_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    (tmp_path / "code").mkdir()
    go = "import os; os.chdir('gone'); os.rmdir('../gone')"
    found = made(
        tmp_path / "code", f"{go}\ndef get_config():\n    os.chdir('/')\n    raise OSError\n"
    )
    assert Path.cwd() == tmp_path
    refused(lambda: found.call("get_config", found.module.get_config), "get_config failed")
    assert Path.cwd() == tmp_path


COMMAND_LINE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--hidden", type=int, {more})
hidden = parser.parse_args().hidden
def get_config(): return {{"hidden": parser.parse_args().hidden}}
"""


def test_a_command_line_of_the_definition_has_its_defaults_or_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--log", "x.log"])
    found = made(tmp_path, COMMAND_LINE.format(more="default=8"))
    assert found.module.hidden == 8
    assert found.call("get_config", found.module.get_config) == {"hidden": 8}
    assert sys.argv == ["train.py", "--log", "x.log"]
    wanted = "is given no arguments", "have defaults", "env in the config"
    refused(lambda: made(tmp_path, COMMAND_LINE.format(more="required=True")), *wanted)
    refused(lambda: made(tmp_path, "import sys\nsize = int(sys.argv[1])"), "line 2", *wanted)
    assert made(tmp_path, "import sys\nfound = sys.argv[1:]").module.found == []


def test_arrays_and_tables_are_no_loaders(tmp_path: Path) -> None:
    for body in ("np.ones((4, 2))", "'a.h5'", "{'x': [1]}", "pandas.DataFrame({'a': [1]})"):
        text = MODEL + f"import pandas\ndef get_test_generator(data_dir): return {body}\n"
        found = made(tmp_path, text)
        refused(lambda found=found: found.test_loader("d"), "rows are no batches", "Matrix")
    pair = MODEL + "def get_train_generator(data_dir, batch_size): return np.ones(4), np.ones(4)\n"
    refused(lambda: made(tmp_path, pair).train_loaders("d", 2), "returned ndarray")
    both = MODEL + "def get_train_generator(data_dir, batch_size): return [loader(), loader(2)]\n"
    train, val = made(tmp_path, both).train_loaders("d", 2)
    assert (train.samples, val.samples) == (4, 2)


def test_a_prediction_loader_that_shuffles_is_refused_with_its_file(tmp_path: Path) -> None:
    text = MODEL + (
        "def get_pred_generator(path):\n"
        "    return batch_generator.MatrixBatchGenerator(np.ones((4, 2)), shuffle=True)\n"
    )
    refused(lambda: made(tmp_path, text).prediction_loader("p"), "def.py", "to predict shuffles")


def test_a_cause_is_told_with_the_line_where_it_arose(tmp_path: Path) -> None:
    text = MODEL + (
        "def inner(): return np.ones(2) + np.ones(3)\n"
        "def outer():\n"
        "    from dlutil_core.common.errors import UserError\n"
        "    try:\n"
        "        inner()\n"
        "    except ValueError as error:\n"
        "        raise UserError('shapes differ') from error\n"
    )
    found = made(tmp_path, text)
    line = text.splitlines().index("def inner(): return np.ones(2) + np.ones(3)") + 1
    refused(lambda: found.call("outer", found.module.outer), f"line {line}: shapes differ")


def test_an_exception_that_is_its_own_cause_has_an_end() -> None:
    error = ValueError("no")
    error.__cause__ = error
    assert line_in(error, "def.py") is None
