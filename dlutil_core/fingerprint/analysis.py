"""`analyse`: what is known of a `def.py` without running it; `require`: refuse what is missing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.fingerprint.dynamic import environment_names, text_constants, walk_all
from dlutil_core.fingerprint.sources import Library
from dlutil_core.fingerprint.stages import Reader
from dlutil_core.fingerprint.syntax import bound_names

# What a definition has to define, as its remedy in a message.
SIGNATURES = {
    "get_train_generator": "get_train_generator(data_dir, batch_size)",
    "get_val_generator": "get_val_generator(data_dir)",
    "get_test_generator": "get_test_generator(data_dir)",
    "get_pred_generator": "get_pred_generator(pred_path)",
    "get_config": "get_config()",
    "Model": "class Model(base_model.BaseModel)",
    "save_prediction": "save_prediction(pred_subpath, Y)",
}


@dataclass(frozen=True)
class Definition:
    """What is known of a `def.py` without running it.

    Attributes
    ----------
    path : Path
        As it was given.
    functions : frozenset of str
        Names bound at module level: functions, classes, assignments, imports.
    names_known : bool
        False where more names may be bound than can be read off the file (star imports, `exec`).
    environment : tuple of str
        Environment variables that it or a local module reads by a literal name, sorted.
    fingerprints : dict
        A hexadecimal SHA-256 for each of the stages `train`, `test` and `predict`.
    whole : str or None
        Why all stages share one fingerprint, such as "line 12 uses exec"; None where they do not.
    local_files : tuple of Path
        Files of the local modules that it imports, sorted.
    warnings : tuple of str
        Sentences on what the fingerprints cannot see.
    """

    path: Path
    functions: frozenset[str]
    names_known: bool
    environment: tuple[str, ...]
    fingerprints: dict[str, str]
    whole: str | None
    local_files: tuple[Path, ...]
    warnings: tuple[str, ...]


def analyse(path: str | Path, search_path: Sequence[str] = ()) -> Definition:
    """Read a `def.py` and the local modules that it imports, running neither.

    Parameters
    ----------
    path : path
        The definition; the folder that it is in is searched first for modules.
    search_path : sequence of str
        Further folders to search for modules, as in `PYTHONPATH` (an empty entry is the working
        directory). Folders of installed packages are passed over.

    Raises
    ------
    UserError
        A file is missing, empty, not text or not Python; it names the file, line and text.
    """
    path = Path(path)
    home = path.parent
    if path.is_symlink():  # Python looks beside the file itself
        home = path.resolve().parent
    library = Library(home, search_path)
    source = library.read_definition(path)
    reader = Reader(library, source)
    modules = [source, *library.sources.values()]
    variables: set[str] = set()
    for module in modules:
        variables |= environment_names(module.body, text_constants(module.body))
    hooked = "__getattr__" in bound_names(source.body)
    return Definition(
        path=path,
        functions=frozenset(bound_names(source.body) | declared_globals(source.body)),
        names_known=not hooked and not any(use.binds for use in source.uses),
        environment=tuple(sorted(variables)),
        fingerprints=reader.fingerprints(),
        whole=reader.opaque or None,
        local_files=tuple(sorted(s.path for s in library.sources.values())),
        warnings=tuple(library.warnings),
    )


def declared_globals(body: Iterable[ast.stmt]) -> set[str]:
    """Names that functions anywhere declare `global`: a call may bind them."""
    return {n for node in walk_all(body) if isinstance(node, ast.Global) for n in node.names}


def require(definition: Definition, path: str | Path, names: Sequence[str], why: str) -> None:
    """Refuse a definition that lacks one of `names`.

    Passes where the names of the definition cannot be known without running it.

    Parameters
    ----------
    definition : Definition
    path : path
        The name of the file for the message.
    names : sequence of str
        Names of the contract (keys of `SIGNATURES`).
    why : str
        What needs them, such as "--eval".

    Raises
    ------
    UserError
        Such as "def.py: get_test_generator is missing, which --eval needs: define
        get_test_generator(data_dir)".
    """
    missing = [n for n in names if n not in definition.functions]
    if not missing or not definition.names_known:
        return
    verb = "is" if len(missing) == 1 else "are"
    remedy = listed([SIGNATURES.get(n, n) for n in missing])
    raise UserError(
        f"{path}: {listed(missing)} {verb} missing, which {why} needs: define {remedy}"
        f"{similar(definition, missing)}"
    )


def similar(definition: Definition, missing: Iterable[str]) -> str:
    """A hint at names that look like missing ones."""
    from difflib import get_close_matches

    others = sorted(definition.functions - set(SIGNATURES))
    hints: list[str] = []
    for name in missing:
        by_case = [o for o in others if o.lower() == name.lower()]
        found = by_case or get_close_matches(name, others, n=1, cutoff=0.85)
        hints += found[:1]
    return f" (it has {listed(hints)})" if hints else ""


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))
