"""Executes a `def.py` and calls its parts; what is missing or wrong becomes one sentence."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.fingerprint.analysis import SIGNATURES
from dlutil_core.loaders.generators import BatchGenerator
from dlutil_core.loaders.prediction_order import check_prediction_loader

NO_LOADERS = (np.ndarray, torch.Tensor, str, bytes, dict)
"""What can be iterated but gives no batches."""

COMMAND_LINES = {"argparse", "click", "typer", "fire", "optparse", "absl", "docopt", "getopt"}
"""Packages that parse a command line, and end the program where it is wrong."""

NO_COMMAND_LINE = (
    "is given no arguments: let them have defaults, or read environment variables, which are named "
    "under env in the config"
)

HINTS = {
    "scalar types: Long, Int; but got torch.": "whole numbers in arrays become float32, tensors "
    "stay as they are: give the generator torch.from_numpy(X), or call x.long() in forward",
    "must have the same dtype, but got Long and Float": "tensors stay as they are: give the "
    "generator an array or X.float()",
}
"""What torch's messages on dtypes mean here."""


class Definition:
    """An executed `def.py`.

    Parameters
    ----------
    path
        The file. Its folder goes to the front of `sys.path`, for modules beside it.
    names
        Python's own names for its code, `__import__` among them, where they are not the usual ones.

    Raises
    ------
    UserError
        The file is missing or raises when it is executed.
    """

    def __init__(self, path: str | os.PathLike[str], names: dict[str, Any] | None = None) -> None:
        self.path = str(path)
        self.module = _execute(Path(path), names)

    def has(self, name: str) -> bool:
        """Whether the file defines `name`."""
        return hasattr(self.module, name)

    def get(self, name: str, why: str) -> Any:
        """The object `name`, which is needed `why`."""
        if not self.has(name):
            raise UserError(
                f"{self.path}: {name} is missing, which {why} needs: define {SIGNATURES[name]}"
            )
        found = getattr(self.module, name)
        if not callable(found):
            raise UserError(
                f"{self.path}: {name} is {found!r}, but must be callable: {SIGNATURES[name]}"
            )
        return found

    def model_class(self) -> type:
        """The class `Model`."""
        from dlutil_core.base_model import BaseModel

        found = self.get("Model", "training")
        if not isinstance(found, type) or not issubclass(found, BaseModel):
            raise UserError(
                f"{self.path}: Model must be a class that extends base_model.BaseModel or one of "
                "its subclasses"
            )
        return found

    def train_loaders(self, data_dir: str, batch_size: int) -> tuple[Any, Any]:
        """The training and the validation loader (`None` where the file defines none)."""
        make = self.get("get_train_generator", "training")
        train = self.call("get_train_generator", make, data_dir, batch_size)
        val = None
        if _are_two_loaders(train):
            train, val = train
        elif self.has("get_val_generator"):
            val = self.call("get_val_generator", self.module.get_val_generator, data_dir)
        elif not self._own_reward():
            raise UserError(
                f"{self.path}: get_val_generator is missing, and the model's reward is the "
                "validation loss: define get_val_generator(data_dir), or return (train, val) from "
                "get_train_generator"
            )
        self.check_labels("get_train_generator", self.check_loader("get_train_generator", train))
        if val is not None:
            self.check_labels("get_val_generator", self.check_loader("get_val_generator", val))
        return train, val

    def test_loader(self, data_dir: str) -> Any:
        """The loader of the test set."""
        make = self.get("get_test_generator", "evaluation")
        loader = self.call("get_test_generator", make, data_dir)
        return self.check_labels(
            "get_test_generator", self.check_loader("get_test_generator", loader)
        )

    def prediction_loader(self, pred_path: str) -> Any:
        """The loader of inputs to predict."""
        make = self.get("get_pred_generator", "prediction")
        loader = self.check_loader(
            "get_pred_generator", self.call("get_pred_generator", make, pred_path)
        )
        try:
            self.call("get_pred_generator", check_prediction_loader, loader)
        except UserError as error:
            raise UserError(f"{self.path}: get_pred_generator: {error}") from error
        return loader

    def check_loader(self, name: str, loader: Any) -> Any:
        """Refuse what gives no batches, or gives them only once."""
        if isinstance(loader, NO_LOADERS) or hasattr(loader, "iloc"):
            raise UserError(
                f"{self.path}: {name} returned {type(loader).__name__}, whose rows are no batches: "
                "return a loader, for example MatrixBatchGenerator(X, Y, batch_size)"
            )
        if not isinstance(loader, Iterable):
            hint = ", for example DataLoader(dataset)" if hasattr(loader, "__getitem__") else ""
            raise UserError(
                f"{self.path}: {name} returned {type(loader).__name__}, but must return a loader: "
                f"an iterable of batches{hint}"
            )
        if self.call(name, is_one_shot, loader):
            raise UserError(
                f"{self.path}: {name} returned {type(loader).__name__}, which can be iterated only "
                "once: return a loader such as MatrixBatchGenerator, a DataLoader or a list"
            )
        return loader

    def check_labels(self, name: str, loader: Any) -> Any:
        """Refuse a generator of inputs alone, where labels are needed too."""
        if getattr(loader, "has_labels", True):
            return loader
        source = getattr(loader, "source", None)
        if source is not None:
            raise UserError(
                f"{source.files[0]}: has no dataset '{source.names['label']}', which {name} of "
                f"{self.path} needs (only prediction does not); write it there, or name the "
                "dataset of labels, as in label='y_train'"
            )
        raise UserError(
            f"{self.path}: {name} returned a {type(loader).__name__} without labels; give it Y too"
        )

    def call(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the file; what it raises becomes a sentence with its line."""
        try:
            with kept_folder(), _own_arguments(self.path):
                return function(*arguments)
        except UserError as error:
            line = line_in(error, self.path) if error.__cause__ is not None else None
            if line is None:
                raise
            raise UserError(f"{self.path}: line {line}: {error}") from error
        except SystemExit as error:
            raise UserError(f"{self.path}: {name} {_ended(error, self.path)}") from None
        except Exception as error:
            log.debug("%s", traceback.format_exc())
            raise UserError(f"{self.path}: {name} failed: {told(error, self.path)}") from error

    def model(self, config: dict[str, Any]) -> Any:
        """A new `Model` of this configuration; what it raises is left as it is."""
        kind = self.model_class()
        try:
            with kept_folder():
                return kind(config)
        except SystemExit as error:
            raise UserError(f"{self.path}: init_model {_ended(error, self.path)}") from None

    def _own_reward(self) -> bool:
        from dlutil_core.model.models import LossReward

        own = self.model_class().get_hyperband_reward  # type: ignore[attr-defined]
        return own is not LossReward.get_hyperband_reward


@contextmanager
def kept_folder() -> Iterator[None]:
    """Put the working folder back where code of a definition calls `os.chdir`.

    The run's own paths are relative to the folder that it was started in.
    """
    before = os.getcwd()
    try:
        yield
    finally:
        put_back(before)


def put_back(folder: str) -> None:
    """Work in `folder` again, wherever a definition went."""
    try:
        moved = os.getcwd() != folder
    except FileNotFoundError:  # it went to a folder that is no more
        moved = True
    if moved:
        os.chdir(folder)


def _ended(error: SystemExit, path: str) -> str:
    """What a `SystemExit` is told as."""
    wanted = os.path.abspath(path)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == wanted]
    place = f" in line {lines[-1]}" if lines and lines[-1] else ""
    return (
        f"ended the program ({error.code}){place}; raise an error that says what is wrong, such as "
        "ValueError, instead of calling sys.exit"
    )


def is_one_shot(loader: Any) -> bool:
    """Whether a loader can be iterated only once."""
    from torch.utils.data import DataLoader

    if isinstance(loader, DataLoader):  # whose iterators may be processes
        return False
    first = iter(loader)
    if first is not loader:
        return iter(loader) is first
    if type(loader).__module__ in ("builtins", "itertools"):
        return True
    for _ in loader:  # a class that is its own iterator may start anew, which only shows when tried
        pass
    return next(iter(loader), None) is None


def told(error: BaseException, path: str) -> str:
    """An exception as text: its type, its message, and its last line in the file `path`."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if isinstance(error, UserError):  # a sentence of ours
        text = message
    text += next((f" ({hint})" for part, hint in HINTS.items() if part in message), "")
    line = line_in(error, path)
    return text if line is None else f"line {line}: {text}"


def line_in(error: BaseException, path: str) -> int | None:
    """The last line of the file `path` that the cause of an exception went through."""
    wanted = {os.path.abspath(path), os.path.realpath(path)}
    found: int | None = None
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:  # one raised from itself is its own cause
        seen.add(id(cause))
        frames = traceback.extract_tb(cause.__traceback__)
        lines = [f.lineno for f in frames if f.filename in wanted and f.lineno]
        found = lines[-1] if lines else found
        cause = cause.__cause__
    return found


def _are_two_loaders(found: Any) -> bool:
    """Whether `get_train_generator` returned training and validation, not batches."""
    if isinstance(found, list) and len(found) == 2:
        from torch.utils.data import DataLoader

        return all(isinstance(part, (BatchGenerator, DataLoader)) for part in found)
    return isinstance(found, tuple) and len(found) == 2


@contextmanager
def _own_arguments(path: str) -> Iterator[None]:
    """A definition has no command line: that of the job is not its own."""
    kept = sys.argv
    sys.argv = [path]
    try:
        yield
    finally:
        sys.argv = kept


def _parses_arguments(error: BaseException) -> bool:
    """Whether an exception came out of a parser of command lines."""
    modules = {str(f.f_globals.get("__name__")) for f, _ in traceback.walk_tb(error.__traceback__)}
    return bool({m.partition(".")[0] for m in modules} & COMMAND_LINES)


def _execute(path: Path, names: dict[str, Any] | None = None) -> ModuleType:
    full = path.resolve()
    if not full.is_file():
        raise UserError(f"{path}: there is no such file; give the path of your def.py")
    folder = str(full.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = "dlutil_definition"
    # Without a loader the suffix decides; a definition may have any name.
    from importlib.machinery import SourceFileLoader

    spec = importlib.util.spec_from_loader(name, SourceFileLoader(name, str(full)))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if names is not None:
        vars(module)["__builtins__"] = names
    try:
        with kept_folder(), _own_arguments(str(path)):
            spec.loader.exec_module(module)
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise UserError(
            f"{error.filename or path}: line {error.lineno}: syntax error ({error.msg}): {text}"
        ) from None
    except UserError:
        raise
    except SystemExit as error:
        if _parses_arguments(error):
            raise UserError(
                f"{path}: parses a command line when it is read, but a definition {NO_COMMAND_LINE}"
            ) from None
        raise UserError(f"{path}: ended the program ({error.code}) when it was read") from None
    except Exception as error:
        log.debug("%s", traceback.format_exc())
        last = traceback.extract_tb(error.__traceback__)[-1].line or ""
        hint = f" (a definition {NO_COMMAND_LINE})" if "argv" in last else ""
        raise UserError(f"{path}: cannot be executed: {told(error, str(full))}{hint}") from error
    return module
