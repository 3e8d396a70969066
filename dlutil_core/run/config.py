"""The config: checked against the JSON schema, defaults filled in, errors as one sentence."""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError


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

    if not path.is_file():
        raise UserError(f"{path}: there is no such file; give the path of a config.yaml")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: must hold keys and values, but holds {type(found).__name__}")
    return found


def validated(config: Mapping[str, Any], source: str = "config") -> dict[str, Any]:
    """A copy of `config` with all defaults.

    Raises
    ------
    UserError
        A key is unknown or missing, or a value is not what the schema asks for.
    """
    import jsonschema

    plain = copy.deepcopy(dict(config))
    sections = ("search", "env", "data_files", "preprocess", "explain")
    for name in (*sections, "predict", "definition_files"):
        if plain.get(name, 0) is None:  # an empty `search:` in YAML
            del plain[name]
    if isinstance(plain.get("predict"), str):
        plain["predict"] = [plain["predict"]]
    checker = jsonschema.Draft202012Validator(schema())
    error = jsonschema.exceptions.best_match(checker.iter_errors(plain))
    if error is not None:
        raise UserError(f"{source}: {sentence(error)}")
    filled = _with_defaults(plain, schema())
    filled["env"] = {n: None if v is None else env_text(v) for n, v in filled["env"].items()}
    filled["precision"] = str(filled["precision"])
    if filled["search"]["method"] == "fixed" and not filled["search"]["config"]:
        raise UserError(
            f"{source}: search.method is fixed, but search.config is empty; give the configuration "
            "there, for example config: {lr: 0.001}"
        )
    clip_norm = filled["clip_norm"]
    if clip_norm is not None and not math.isfinite(clip_norm):
        raise UserError(f"{source}: clip_norm is {clip_norm}, but must be a finite number")
    epoch_timeout = filled["search"]["epoch_timeout"]
    if epoch_timeout is not None and not math.isfinite(epoch_timeout):
        raise UserError(
            f"{source}: search.epoch_timeout is {epoch_timeout}, but must be a finite number; "
            "leave it out for no limit"
        )
    return filled


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
        "enum": lambda v: f"must be one of {', '.join(dict.fromkeys(str(x) for x in v))}",
        "minimum": lambda v: f"must be at least {v}",
        "exclusiveMinimum": lambda v: f"must be larger than {v}",
        "maximum": lambda v: f"must be at most {v}",
        "minLength": lambda v: "must not be empty",
    }.get(error.validator)
    told = wanted(error.validator_value) if wanted else error.message
    return f"{key} is {value!r}, but {told}"


def _described(error: Any, name: str) -> str:
    described = str(error.schema["properties"][name]["description"])
    return f"it is: {described[0].lower()}{described[1:].rstrip('.')}"


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
