"""Puts the workflow beside the package in a wheel.

In the repository `workflow/` and `scripts/` lie beside `dlutil_core/`, in a wheel they lie inside
it, with the same places relative to each other. An editable install uses the repository's own and
must get no copy, which would go stale; hatchling's static `force-include` would copy it there too.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = {
    "workflow": "dlutil_core/workflow",
    "scripts": "dlutil_core/scripts",
    "environment.yml": "dlutil_core/environment.yml",
}


class WheelHook(BuildHookInterface):
    """Adds the files of `CARRIED` to standard wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a wheel is built; `version` is 'standard' or 'editable'."""
        if version == "standard":
            build_data["force_include"].update(CARRIED)
