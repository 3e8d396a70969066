"""A trained model, ready to evaluate and predict."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.logs import tell
from dlutil_core.common.result_folder import BEST, BEST_MODEL, BEST_PROVENANCE, member_of
from dlutil_core.definition.executed import Definition
from dlutil_core.fingerprint.analysis import analyse
from dlutil_core.job.loaded_run import LoadedRun, set_up_torch
from dlutil_core.job.run_spec import RunSpec, hashed_env
from dlutil_core.model.checkpoint import read_checkpoint
from dlutil_core.model.options import TrainingOptions
from dlutil_core.trained.ensemble import Ensemble
from dlutil_core.trained.kept_files import kept_source, search_path
from dlutil_core.trained.members import model_files
from dlutil_core.trained.provenance import recorded_env
from dlutil_core.trained.raw_inputs import KeptRawInputs
from dlutil_core.trained.run_note import noted_definition
from dlutil_core.trained.source import KeptSource


class KeptRun(LoadedRun):
    """A run whose definition is the one that a result folder keeps."""

    @cached_property
    def kept(self) -> KeptSource:
        """The kept definition, executed apart from others; torch is set up before."""
        set_up_torch(self.device_kind, self.spec.options)
        try:
            return KeptSource(Path(self.spec.definition))
        except UserError as error:
            raise UserError(
                f"{error}; if it reads files that lie beside it, give the def.py that lies beside "
                "them: load(..., definition=...), dlutil export --definition"
            ) from error

    @cached_property
    def definition(self) -> Definition:
        """The executed `def.py`."""
        return self.kept.definition

    def model(self, config: dict[str, Any], device: str | None = None) -> Any:
        """A new model of this configuration."""
        with self.kept.modules():
            return super().model(config, device)


def restore_model(loaded: LoadedRun, model_file: str | os.PathLike[str]) -> Any:
    """The model whose weights `best/model.pt` holds.

    It is that of the run's definition; where its training part was edited since, of the source that
    is kept beside the weights.
    """
    return restore_models(loaded, [model_file])


def restore_models(loaded: LoadedRun, model_files: Sequence[str | os.PathLike[str]]) -> Any:
    """The model of these weights; of several, which are members of one result, their ensemble."""
    run = _run_of(loaded, best_folder(model_files[0]))
    models = {member_of(Path(f).parent): _restored(run, loaded, f) for f in model_files}
    return Ensemble(models) if len(models) > 1 else next(iter(models.values()))


def _restored(run: LoadedRun, loaded: LoadedRun, model_file: str | os.PathLike[str]) -> Any:
    content = read_checkpoint(model_file)
    model = run.model(content["config"], loaded.device)
    try:
        model.load(content)
    except (RuntimeError, KeyError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{model_file}: its weights do not fit the Model of {run.spec.definition} "
            f"({first}); search again, with --hyper"
        ) from error
    return model


def best_folder(model_file: str | os.PathLike[str]) -> Path:
    """The folder `best` of the result that weights belong to: theirs, or beside the members."""
    folder = Path(model_file).parent
    return folder.parents[2] / BEST if member_of(folder) else folder


def _run_of(loaded: LoadedRun, best: Path) -> LoadedRun:
    """The run itself, or one of the kept source where that is another one."""
    kept = None if isinstance(loaded, KeptRun) else kept_source(best)
    if kept is None or kept.resolve() == Path(loaded.spec.definition).resolve():
        return loaded
    trained = read_json(best / "provenance.json")["definition"]["train"].partition("+")[0]
    if analyse(loaded.spec.definition, search_path()).fingerprints["train"] == trained:
        return loaded
    _ = loaded.definition  # What the model reads is part of what this run reads.
    tell(f"{loaded.spec.definition} was edited after training: the model is that of {kept}")
    return KeptRun(replace(loaded.spec, definition=str(kept)))


def load(
    result: str | os.PathLike[str],
    definition: str | None = None,
    device: str = "cpu",
    env: Mapping[str, str] | None = None,
    genome: str | None = None,
    member: str | tuple[int, int] | None = None,
) -> Any:
    """The best model of a result folder, or all members where the run repeated it (`repeat`).

    Parameters
    ----------
    result
        The result folder of a run; it may be a copy. The `def.py` that it keeps is executed, and
        nothing outside of the folder.
    definition
        A `def.py` to execute instead.
    device
        `cpu`, `cuda` or `auto`.
    env
        Environment variables to set before `def.py` is executed. None are set unasked; where one
        that was part of the run has another value now, a warning names it.
    genome
        The FASTA file that data frames of intervals are cut from; None: the one that the run used,
        where it still is.
    member
        Of several members one alone, `fold-{k}/seed-{i}` or `(k, i)`; `best`: the best model of the
        search. `None`: an `Ensemble` of all, whose predictions are means.

    Returns
    -------
    The `Model` of `def.py` with the best trial's configuration and weights. `model.predict` takes
    arrays, tensors, sequences as text, data frames or a loader, and returns a numpy array.
    """
    folder = Path(result)
    chosen = model_files(folder, member)
    run = trained_run(folder, definition, device, env)
    try:
        model = restore_models(run, chosen)
        model.raw_inputs = KeptRawInputs(run, folder, genome)
        return model
    finally:
        run.opened.stop()


def trained_run(
    folder: Path,
    definition: str | None = None,
    device: str = "cpu",
    env: Mapping[str, str] | None = None,
) -> LoadedRun:
    """The run of a result folder, without its data; says which file is executed."""
    if not (folder / BEST_MODEL).is_file():
        raise UserError(f"{folder}: holds no trained model ({BEST_MODEL}); give a result folder")
    provenance = read_json(folder / BEST_PROVENANCE)
    config = provenance["config"]
    path = definition_of(folder, definition)
    spec = RunSpec(
        definition=path,
        data_dir="",
        batch_size=1,
        seed=config.get("seed", 0),
        device=device,
        threads=config["threads_per_trial"],
        options=TrainingOptions(**config["options"] | {"compile": False}),  # needs no compiler
    )
    os.environ.update(env or {})
    is_kept = definition is None and kept_source(folder / BEST) is not None
    run = KeptRun(spec) if is_kept else LoadedRun(spec)
    for name in _other_values(recorded_env(provenance)):
        tell(
            f"warning: {folder}: the model was trained with another value of the environment "
            f"variable {name}; set it, or give load(..., env={{...}})"
        )
    tell(f"executing {path}")
    return run


def _other_values(env_sha256: Mapping[str, str]) -> list[str]:
    """Names of variables whose values in the environment are not those of these hashes."""
    there = hashed_env([name for name in env_sha256 if name in os.environ], os.environ)
    return [name for name, sha256 in env_sha256.items() if there.get(name) != sha256]


def definition_of(result: str | os.PathLike[str], definition: str | None) -> str:
    """The path of the `def.py` of a run: the one that is given, kept, or where the run found it."""
    if definition is not None:
        return definition
    kept = kept_source(Path(result, BEST))
    if kept is not None:
        return str(kept)
    found = noted_definition(result)
    if not os.path.isfile(found):
        raise UserError(f"{found}: the def.py of the run is not there any more; give its path")
    tell(
        f"warning: {result} keeps no source of its model: {found} is executed as it is now, which "
        "may not be what was trained"
    )
    return found
