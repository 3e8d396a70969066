"""The columns of tables of numbers, which are to be the same ones in the same order in all sets."""

from __future__ import annotations

from dataclasses import dataclass, field

from dlutil_core.common.errors import UserError
from dlutil_core.common.wording import shortened


@dataclass
class FeatureColumns:
    """Titles of the columns, as the first table that has a line of names tells them.

    Attributes
    ----------
    titles
        The titles; empty as long as none are known.
    known_from
        What has them, for messages.
    count
        How many columns there are to be; 0 where any number will do.
    needed
        Whether a table without a line of names is refused where titles are known.
    """

    titles: list[str] = field(default_factory=list)
    known_from: str = ""
    count: int = 0
    needed: bool = False

    def check(self, path: str, titles: list[str], count: int) -> None:
        """Refuse a table whose columns are others, or in another order."""
        if titles and not self.titles:
            self.titles, self.known_from = titles, path
        if self.titles and not titles and self.needed:
            raise UserError(
                f"{path}: has no line of column names, but {self.known_from} has the columns"
                f" {_listed(self.titles)}; write that line, with the columns in this order"
            )
        if titles != self.titles and titles:
            raise UserError(self._difference(path, titles))
        if self.count and count != self.count:
            raise UserError(
                f"{path}: has {count} columns, but {self.known_from} has {self.count}; give those"
            )

    def _difference(self, path: str, titles: list[str]) -> str:
        absent = [title for title in self.titles if title not in titles]
        more = [title for title in titles if title not in self.titles]
        if absent:
            told = f"lacks the column {_listed(absent)} of {self.known_from}"
        elif more:
            told = f"has the column {_listed(more)}, which {self.known_from} has not"
        else:
            told = f"has the columns of {self.known_from} in another order"
        return f"{path}: {told}; give {_listed(self.titles)}, in this order"


def _listed(titles: list[str]) -> str:
    return shortened(", ".join(titles), 200)
