"""The reference of config keys, made from the schema by `make docs`."""

from __future__ import annotations

import json
from typing import Any

from dlutil_core.run.config import documented_keys

HEAD = """# Config keys

Made from `workflow/schemas/` by `make docs`; a test compares. Paths are relative to the working
directory. `main.py` fills the same keys from its flags.

| key | values | default | what it is |
| --- | --- | --- | --- |
"""


def table() -> str:
    """All keys as a Markdown table."""
    lines = []
    for key, part in documented_keys():
        default = json.dumps(part.get("default"), ensure_ascii=False)
        about = " ".join(str(part.get("description", "")).split()).replace("|", "\\|")
        lines.append(f"| `{key}` | {values_of(part)} | `{default}` | {about} |\n")
    return HEAD + "".join(lines)


def values_of(part: dict[str, Any]) -> str:
    """What a key may be, in a few words."""
    if "enum" in part:
        told = dict.fromkeys(str(value) for value in part["enum"] if value is not None)
        text = " \\| ".join(f"`{value}`" for value in told)
        return f"{text} or empty" if None in part["enum"] else text
    kinds = part.get("type", "any")
    listed = kinds if isinstance(kinds, list) else [kinds]
    text = " or ".join("empty" if kind == "null" else kind for kind in listed)
    if "minimum" in part:
        text += f" ≥ {part['minimum']}"
    if "exclusiveMinimum" in part:
        text += f" > {part['exclusiveMinimum']}"
    return text


if __name__ == "__main__":
    print(table(), end="")
