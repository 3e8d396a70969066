"""Writes the export folder.

weights.safetensors   the network's weights (and what an own `save` adds); of further members
                      weights.fold-{k}-seed-{i}.safetensors
definition/           def.py and the local modules that it imports
config.json           the configuration, and what else the predictions depend on
encoding.json         how the training data were encoded
predict.py            predicts a file; `load()` for Python
dlutil_core/          the few modules of dlutil that it needs
requirements.txt      the packages that it needs
model.pt2 model.onnx  the network alone, where it can be exported
README.md             the model card
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.common.result_folder import BEST_ENCODING, BEST_PROVENANCE, member_of
from dlutil_core.export.card import model_card
from dlutil_core.export.networks import export_network
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.model.checkpoint import read_checkpoint
from dlutil_core.model.safetensors_file import write_tensors
from dlutil_core.preprocess.kept_encoding import KeptEncoding
from dlutil_core.trained.kept_files import ENTRY, copy_definition
from dlutil_core.trained.load import restore_models, trained_run
from dlutil_core.trained.members import model_files
from dlutil_core.trained.provenance import recorded_env

PACKAGE = Path(__file__).resolve().parents[1]
STARTS = (
    *("base_model", "batch_generator", "constraints"),
    *("model.base", "model.options", "model.safetensors_file"),
    *("preprocess.new_records", "trained.ensemble", "trained.prediction_table"),
)
"""Modules that a definition and `predict.py` import."""

NOT_WEIGHTS = {"trial", "epoch", "score", "config"}
ALWAYS = ("torch", "numpy", "safetensors")


def export(
    result_dir: Path, out: Path, definition: str | None = None, member: str | None = None
) -> None:
    """Write the trained model of a result folder to the folder `out`.

    Parameters
    ----------
    out
        A new or empty folder, or an earlier export, which is replaced.
    definition
        A `def.py` to take instead of the one that the result folder keeps.
    member
        Of several members one alone, `fold-{k}/seed-{i}`, or `best`; None: all of them.

    Raises
    ------
    UserError
        The result folder holds no model, its `def.py` is not found, or `out` holds something else.
    """
    _check_out(out)
    chosen = model_files(result_dir, member)
    run = trained_run(result_dir, definition)
    model = restore_models(run, chosen)
    building = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        _write_all(result_dir, run, model, chosen, building)
        _set_usual_modes(building)
        shutil.rmtree(out, ignore_errors=True)
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _check_out(out: Path) -> None:
    empty = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not empty and not (out / "weights.safetensors").is_file():
        raise UserError(f"{out}: holds something else than an export; give another folder")


def _beside(source: Path) -> list[Path]:
    """What a result folder keeps with the definition; of one elsewhere, nothing unasked."""
    if not (source.parent / ENTRY).is_file():
        return []
    found = [p for p in source.resolve().parent.rglob("*") if p.is_file() and p.name != ENTRY]
    return [p for p in found if "__pycache__" not in p.parts]


def _set_usual_modes(out: Path) -> None:
    """Some libraries make files that only their owner reads; an export is for others."""
    usual = (out / "config.json").stat().st_mode
    for path in out.rglob("*"):
        if path.is_file():
            path.chmod(usual)


def _write_weights(models: Sequence[Path], out: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Write each model's weights, the first ones as `weights.safetensors`.

    Returns
    -------
    What the first model's file holds, and the names of the files by member, of several.
    """
    told: dict[str, Any] = {}
    written: dict[str, str] = {}
    for path in models:
        content = read_checkpoint(path)
        name = member_of(path.parent)
        file = f"weights.{name.replace('/', '-')}.safetensors" if told else "weights.safetensors"
        state = {k: v for k, v in content.items() if k not in NOT_WEIGHTS}
        write_tensors(out / file, state)
        written[name] = file
        told = told or content
    return told, written if len(written) > 1 else {}


def _write_all(
    result_dir: Path, run: LoadedRun, model: Any, models: Sequence[Path], out: Path
) -> None:
    source = Path(run.spec.definition)
    content, members = _write_weights(models, out)
    used = copy_definition(source, out / "definition", _beside(source))
    provenance = files.read_json(result_dir / BEST_PROVENANCE)
    config = {
        "definition": source.name,
        "config": content["config"],
        "options": provenance["config"]["options"] | {"compile": False},  # needs no compiler
        "env_sha256": recorded_env(provenance),
        "threads": provenance["config"]["threads_per_trial"],
        "trial": content["trial"],
        "epoch": content["epoch"],
        "score": content["score"],
        "dlutil": provenance["dlutil"],
        "versions": provenance["versions"],
    }
    if members:
        config["members"] = members
    files.write_json(out / "config.json", config)
    kept = result_dir / BEST_ENCODING
    encoding = KeptEncoding.read(kept) if kept.is_file() else KeptEncoding()
    files.write_text(out / "encoding.json", encoding.text())
    shutil.copyfile(Path(__file__).with_name("predict.py"), out / "predict.py")
    used += _copy_modules(out)
    needed = _requirements(used, provenance["versions"])
    if encoding.genome is None:  # what reads genomes is asked for by --genome alone
        needed = [line for line in needed if not line.startswith("pysam")]
    files.write_text(out / "requirements.txt", "\n".join(needed) + "\n")
    networks = export_network(model, result_dir, out, run)
    files.write_text(out / "README.md", model_card(result_dir, config, networks, needed))


def _copy_modules(out: Path) -> list[Path]:
    """Copy the modules of dlutil that a definition and `predict.py` can reach, and the licence."""
    target = out / "dlutil_core"
    target.mkdir()
    files.write_text(target / "__init__.py", '"""The part of dlutil that predicts."""\n')
    found = []
    for name in sorted(_reached(STARTS)):
        path = Path(*name.split(".")).with_suffix(".py")
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / path, target / path)
        found.append(target / path)
    below = {folder for path in found for folder in path.relative_to(target).parents}
    for package in (target / folder for folder in below - {Path()}):
        files.write_text(package / "__init__.py", "")
    licence = PACKAGE.parent / "LICENSE"
    if licence.is_file():
        shutil.copyfile(licence, target / "LICENSE")
    return found


def _reached(starts: tuple[str, ...]) -> set[str]:
    """Modules of `dlutil_core` that these import, directly or not, as dotted names below it."""
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        path = PACKAGE / Path(*name.split(".")).with_suffix(".py")
        if name in found or not path.is_file():
            continue
        found.add(name)
        start = f"{PACKAGE.name}."
        waiting += [m.removeprefix(start) for m in _imports(path) if m.startswith(start)]
    return found


def _imports(path: Path) -> Iterator[str]:
    """Names of modules that a file imports anywhere in it, and of what it imports from them."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _requirements(used: list[Path], versions: dict[str, str]) -> list[str]:
    """The packages that the copied files import, those of the run in the run's versions."""
    local = {path.stem for path in used} | {path.parent.name for path in used} | {"dlutil_core"}
    names = {module.partition(".")[0] for path in used for module in _imports(path)}
    wanted = sorted({*ALWAYS, *(names - set(sys.stdlib_module_names) - local)})
    found = []
    for name in wanted:
        package = {"sklearn": "scikit-learn", "yaml": "pyyaml"}.get(name, name)
        try:
            exact = versions.get(name) or version(package).partition("+")[0]
        except PackageNotFoundError:
            found.append(package)
            continue
        found.append(f"{package}=={exact}" if name in versions else f"{package}>={exact}")
    return found
