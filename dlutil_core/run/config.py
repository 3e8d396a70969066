"""The config: checked against the JSON schema, defaults filled in, errors as one sentence."""

from __future__ import annotations

import copy
import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.run.reward import check_reward

EXPONENT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")

NO_PATHS = (
    "title",
    "reward",
    "env",
    "search.config",
    "search.start",
    "repeat.folds",
    "preprocess.command.run",
    "preprocess.columns",
)
"""Keys whose texts are no paths."""


def workflow_folder() -> Path:
    """Where the Snakefile lies: beside this package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "workflow"
    return inside if inside.is_dir() else package.parent / "workflow"


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of the config, with references to other files put in place."""
    import yaml

    folder = workflow_folder() / "schemas"

    def load(name: str) -> dict[str, Any]:
        found = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        for key, part in found["properties"].items():
            reference = part.get("$ref", "")
            if reference.endswith(".yaml"):
                found.setdefault("$defs", {})
                other = load(reference)
                found["$defs"].update(other.pop("$defs", {}))
                found["properties"][key] = {k: v for k, v in other.items() if k[0] != "$"}
        return dict(found)

    return load("config.schema.yaml")


def read_config(path: Path) -> dict[str, Any]:
    """A config file's content, not yet validated."""
    import yaml

    from dlutil_core.run.strict_yaml import MisleadingError, strict_yaml

    if not path.is_file():
        raise UserError(f"{path}: there is no such file; give the path of a config.yaml")
    try:
        found = strict_yaml(path)
    except MisleadingError as error:
        raise UserError(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file ({_yaml_problem(error)})") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: must hold keys and values, but holds {type(found).__name__}")
    return found


def _yaml_problem(error: Exception) -> str:
    """What is wrong with the text, and in which line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or not problem:
        return " ".join(str(error).split())
    if "'\\t'" in problem:
        problem = "a tab where YAML takes blanks alone; indent with blanks"
    return f"line {mark.line + 1}: {problem}"


MAY_BE_EMPTY = (
    *("search", "repeat", "env", "data_files", "preprocess", "explain", "baseline", "variants"),
    *("predict", "definition_files", "metrics"),
)
"""Keys that YAML gives no value where nothing stands behind them."""


def check_config_files(paths: Iterable[str | Path]) -> None:
    """Refuse config files in which a key stands twice or a number is not what it looks like.

    Snakemake reads them itself, and takes the last of equal keys; files for its YAML template
    engine are left to it.
    """
    for path in map(Path, paths):
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        if text.strip() and "__use_yte__" not in text and not text.lstrip().startswith("{"):
            read_config(path)


def validated(config: Mapping[str, Any], source: str = "config") -> dict[str, Any]:
    """A copy of `config` with all defaults.

    Raises
    ------
    UserError
        A key is unknown or missing, or a value is not what the schema asks for.
    """
    import jsonschema

    plain = _with_numbers(_written_out(config), schema())
    checker = jsonschema.Draft202012Validator(schema())
    error = jsonschema.exceptions.best_match(checker.iter_errors(plain))
    if error is not None:
        raise UserError(f"{source}: {sentence(error)}")
    filled = _with_defaults(plain, schema())
    filled["env"] = {n: None if v is None else env_text(v) for n, v in filled["env"].items()}
    filled["precision"] = str(filled["precision"])
    _check_values(filled, source)
    _check_together(filled, source)
    return filled


def _written_out(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without empty sections, short forms written as long ones."""
    plain = copy.deepcopy(dict(config))
    for name in MAY_BE_EMPTY:
        if plain.get(name, 0) is None:  # an empty `search:` in YAML
            del plain[name]
    if isinstance(plain.get("baseline"), bool):
        plain["baseline"] = {"enabled": plain["baseline"]}
    for name in ("predict", "metrics"):
        if isinstance(plain.get(name), str):
            plain[name] = [plain[name]]
    return plain


def _check_values(filled: Mapping[str, Any], source: str) -> None:
    """Refuse values that the schema cannot tell from good ones."""
    for key, text in _texts(filled):
        if any(c in text for c in "{}\n"):
            raise UserError(
                f"{source}: {key} is {text!r}, but paths must not hold braces or line breaks;"
                " rename it"
            )
    if filled["reward"] is not None:
        check_reward(filled["reward"], source)
    clip_norm = filled["clip_norm"]
    if clip_norm is not None and not math.isfinite(clip_norm):
        raise UserError(f"{source}: clip_norm is {clip_norm}, but must be a finite number")
    epoch_timeout = filled["search"]["epoch_timeout"]
    if epoch_timeout is not None and not math.isfinite(epoch_timeout):
        raise UserError(
            f"{source}: search.epoch_timeout is {epoch_timeout}, but must be a finite number; "
            "leave it out for no limit"
        )


def _check_together(filled: Mapping[str, Any], source: str) -> None:
    """Refuse what goes with no other value that is given."""
    if filled["search"]["method"] == "fixed" and not filled["search"]["config"]:
        raise UserError(
            f"{source}: search.method is fixed, but search.config is empty; give the configuration "
            "there, for example config: {lr: 0.001}"
        )
    method, sampler = filled["search"]["method"], filled["search"]["sampler"]
    if sampler is not None and method not in ("staged", "existing"):
        raise UserError(
            f"{source}: search.sampler is {sampler}, but search.method is {method}, which has no "
            "sampler; set method: staged, or leave out sampler"
        )
    if filled["baseline"]["enabled"] and not filled["evaluate"]:
        raise UserError(
            f"{source}: baseline stands beside the test, but evaluate is false; set "
            "evaluate: true, or leave out baseline"
        )


def _with_numbers(value: Any, part: dict[str, Any]) -> Any:
    """The value with texts such as 1e-3, which YAML 1.1 takes for no number, as numbers.

    In places for numbers alone, and in `search.config` and `search.start`, which have no schema.
    """
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        types = _listed(part.get("type"))
        numeric = "anything" in part or (
            "string" not in types and {"number", "integer"} & set(types)
        )
        return float(value) if numeric else value
    if isinstance(value, list):
        items = part if "anything" in part else part.get("items") or {}
        return [_with_numbers(v, items) for v in value]
    if not isinstance(value, dict):
        return value
    below = part.get("properties") or {}
    rest = {"anything": True} if part.get("additionalProperties") is True else {}
    rest = part if "anything" in part else rest
    return {name: _with_numbers(v, below.get(name, rest)) for name, v in value.items()}


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text that may be a path, with its key."""
    if key in NO_PATHS:
        return
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _texts(below, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below, key)


def env_text(value: Any) -> str:
    """A value of `env:` as the text that the variable gets."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def sentence(error: Any) -> str:
    """A jsonschema error as one sentence: the key, the value, what it must be."""
    key = ".".join(str(part) for part in error.absolute_path)
    value = error.instance
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(k for k in value if k not in known)
        near = difflib.get_close_matches(str(unknown), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
        return f"unknown key '{key + '.' if key else ''}{unknown}'; {hint}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in value)
        return f"key '{key + '.' if key else ''}{missing}' is missing; {_described(error, missing)}"
    wanted = {
        "type": lambda v: f"must be {_types(v)}",
        "enum": lambda v: f"must be one of {_values(v)}",
        "minimum": lambda v: f"must be at least {v}",
        "exclusiveMinimum": lambda v: f"must be larger than {v}",
        "maximum": lambda v: f"must be at most {v}",
        "minLength": lambda v: "must not be empty",
        "minItems": lambda v: f"must hold {v} at least",
        "maxItems": lambda v: f"must hold {v} at most",
    }.get(error.validator)
    told = wanted(error.validator_value) if wanted else error.message
    if isinstance(value, bool) and "string" in _listed(error.schema.get("type")):
        return f"{key} is {value!r} (so YAML reads yes, no, on and off), but {told}; quote it"
    return f"{key} is {value!r}, but {told}"


def _described(error: Any, name: str) -> str:
    described = str(error.schema["properties"][name]["description"])
    return f"it is: {described[0].lower()}{described[1:].rstrip('.')}"


def _values(values: list[Any]) -> str:
    told = ", ".join(dict.fromkeys(str(x) for x in values if x is not None))
    return f"{told} or empty" if None in values else told


def _types(names: str | list[str]) -> str:
    words = {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping of keys to values",
        "null": "empty",
    }
    return " or ".join(words[name] for name in _listed(names))


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


def _with_defaults(value: Any, part: dict[str, Any]) -> Any:
    """The value with the defaults of its schema, sections included."""
    types = _listed(part.get("type"))
    if isinstance(value, float) and "integer" in types and "number" not in types:
        return int(value)  # to the schema 3.0 is a whole number, too
    if not isinstance(value, dict) or "properties" not in part:
        return value
    filled = dict(value)
    for name, below in part["properties"].items():
        if name == "preprocess":
            filled.setdefault(name, {})
        elif name in filled:
            filled[name] = _with_defaults(filled[name], below)
        else:
            filled[name] = _with_defaults(copy.deepcopy(below.get("default")), below)
    return filled


def documented_keys() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of the config with its part of the schema, sections as `search.eta`."""

    whole = schema()

    def resolved(part: dict[str, Any]) -> dict[str, Any]:
        reference = str(part.get("$ref", "")).removeprefix("#/$defs/")
        return {**whole["$defs"].get(reference, {}), **part}

    def walk(part: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, below in part.get("properties", {}).items():
            yield prefix + name, resolved(below)
            yield from walk(below, f"{prefix}{name}.")

    yield from walk(whole, "")
