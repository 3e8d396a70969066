"""The report's section on what the model saw, from the files under `explain/`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from dlutil_core.common.result_folder import explanation
from dlutil_core.report.collect import Results
from dlutil_core.report.tables import Table, shown

COLUMNS = (
    ("filter", "filter"),
    ("influence", "influence"),
    ("sites", "sites"),
    ("consensus", "consensus"),
    ("bits", "bits"),
    ("match", "best match"),
    ("strand", "strand"),
    ("offset", "offset"),
    ("similarity", "similarity"),
    ("pearson", "Pearson r"),
    ("p_value", "p"),
)


def explained_section(results: Results) -> dict[str, Any] | None:
    """Text, pictures and the table of filters; `None` where nothing was explained."""
    found = results.explained
    if found is None:
        return None
    rows = [[shown(row.get(key), 3) for key, _ in COLUMNS] for row in found["filters"]]
    numeric = [key not in ("consensus", "match", "strand") for key, _ in COLUMNS]
    table = Table(found["table_caption"], [name for _, name in COLUMNS], rows, numeric)
    pictures = [
        {**picture, "source": _data_uri(results.folder / explanation(picture["file"]))}
        for picture in found["pictures"]
    ]
    return {"text": found["text"], "pictures": pictures, "table": table}


def _data_uri(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
