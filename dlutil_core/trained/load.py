"""A trained model, ready to evaluate and predict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.model.checkpoint import read_checkpoint
from dlutil_core.model.options import TrainingOptions


def restore_model(loaded: LoadedRun, model_file: str | os.PathLike[str]) -> Any:
    """The model whose weights `best/model.pt` holds, of the run's definition."""
    content = read_checkpoint(model_file)
    model = loaded.model(content["config"])
    try:
        model.load(content)
    except (RuntimeError, KeyError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{model_file}: its weights do not fit the Model of {loaded.spec.definition} "
            f"({first}); search again, with --hyper"
        ) from error
    return model


def load(result: str | os.PathLike[str], definition: str | None = None, device: str = "cpu") -> Any:
    """The best model of a result folder.

    Parameters
    ----------
    result
        The result folder of a run.
    definition
        The `def.py`; the one that the run used, if it is still where it was.
    device
        `cpu`, `cuda` or `auto`.

    Returns
    -------
    The `Model` of `def.py` with the best trial's configuration and weights. `model.predict` takes a
    loader of inputs, for example `MatrixBatchGenerator(X)`, and returns a numpy array.
    """
    folder = Path(result)
    if not (folder / "best" / "model.pt").is_file():
        raise UserError(f"{folder}: holds no trained model (best/model.pt); give a result folder")
    config = read_json(folder / "best" / "provenance.json")["config"]
    spec = RunSpec(
        definition=definition_of(folder, definition),
        data_dir="",
        batch_size=1,
        seed=0,
        device=device,
        threads=config["threads_per_trial"],
        options=TrainingOptions(**config["options"] | {"compile": False}),  # needs no compiler
        env=config["env"],
    )
    return restore_model(LoadedRun(spec), folder / "best" / "model.pt")


def definition_of(result: str | os.PathLike[str], definition: str | None) -> str:
    """The path of the `def.py` of a run: the one that is given, or the one that the run used."""
    if definition is not None:
        return definition
    note = Path(result) / "logs" / "run.json"
    if not note.is_file():
        raise UserError(f"{note}: there is no such file; give the path of def.py")
    found = os.path.join(result, read_json(note)["definition"])
    if not os.path.isfile(found):
        raise UserError(f"{found}: the def.py of the run is not there any more; give its path")
    return found
