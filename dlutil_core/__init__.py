"""dlutil: from raw sequences to a tuned, tested, explained model.

    from dlutil_core import base_model, batch_generator, constraints

is what a `def.py` needs; `dlutil_core.load(RESULT_DIR)` gives the trained model. Nothing is
imported until it is used, since torch takes a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlutil_core.common.version import __version__

if TYPE_CHECKING:
    from dlutil_core.trained.load import load as load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from dlutil_core.trained.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
