"""For the site's Python reference: what a function returns is told in prose, not as a type's name.

In numpy's form the first line below "Returns" is a type, which here the annotation says. Such a
section becomes a paragraph before the parameters.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

RETURNS = re.compile(r"\n+Returns\n-+\n(.*?)(?=\n\n[A-Z]\w+\n-+\n|\Z)", re.DOTALL)
FIRST_SECTION = re.compile(r"\n\n[A-Z]\w+\n-+\n|\Z")


class ReturnsAreProse(griffe.Extension):
    """Moves the text of a docstring's section "Returns" to its head."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe with each module, class, function and attribute."""
        found = RETURNS.search(obj.docstring.value) if obj.docstring else None
        if obj.docstring and found:
            rest = RETURNS.sub("", obj.docstring.value, count=1)
            at = FIRST_SECTION.search(rest)
            end = at.start() if at else len(rest)
            obj.docstring.value = f"{rest[:end]}\n\n**Returns:** {found[1].strip()}{rest[end:]}"
