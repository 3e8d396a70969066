"""How a model's training data were encoded, kept beside its weights: `best/encoding.json`.

It holds no path, since results move: a genome is known by its hash, a mapping file is kept whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.preprocess import section as planning
from dlutil_core.preprocess.parts import encoding_file
from dlutil_core.preprocess.section import Columns, Options

SEQUENCES, FEATURES, OWN = "sequences", "features", "own"

KEPT_OPTIONS = (
    *("ambiguous", "length", "align", "window", "center", "outside"),
    "reverse_complement",
)


@dataclass(frozen=True)
class KeptEncoding:
    """What of the `preprocess` section new records are encoded by.

    Attributes
    ----------
    kind
        `sequences`, `features`, or `own`: files that the loaders of `def.py` read as they are.
    shape
        Of one record of the HDF5 files: `(D, H, L)`.
    width
        Letters of each sequence; None for features.
    letters
        Of the rows of one-hot vectors; None for features and other vectors.
    features
        Titles of the columns of a table of numbers, where it has them.
    classes
        For each column of labels the names of its classes, or None for numbers.
    labels
        Titles of the columns of labels, where the config names them.
    alphabet
        `dna`, `rna`, `protein`, or the name of a mapping file.
    mapping
        The text of that file.
    genome
        `name` and `sha256` of the genome that intervals were cut from.
    columns
        Where tables of sequences have `sequence`, `name` and `paired`.
    options
        Further keys of the section, `KEPT_OPTIONS`.
    """

    kind: str = OWN
    shape: tuple[int, ...] = ()
    width: int | None = None
    letters: str | None = None
    features: tuple[str, ...] = ()
    classes: tuple[tuple[str, ...] | None, ...] = ()
    labels: tuple[str, ...] = ()
    alphabet: str = "dna"
    mapping: str | None = None
    genome: Mapping[str, str] | None = None
    columns: Mapping[str, Any] | None = None
    options: Mapping[str, Any] | None = None

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @property
    def class_names(self) -> list[str]:
        """Names of the classes of the only column of labels; empty where they are not known."""
        names = self.classes[0] if len(self.classes) == 1 else None
        return list(names or ())

    @classmethod
    def read(cls, path: Path) -> KeptEncoding:
        """From the file beside the weights."""
        if not path.is_file():
            raise UserError(
                f"{path}: there is no such file, which tells how the model's data were encoded;"
                " copy the whole result folder, or run the same command again"
            )
        found = read_json(path)
        if not isinstance(found, dict) or set(found) != set(cls.__dataclass_fields__):
            raise UserError(f"{path}: is of another version of dlutil; run the same command again")
        for key in ("shape", "features", "labels"):
            found[key] = tuple(found[key])
        found["classes"] = tuple(None if c is None else tuple(c) for c in found["classes"])
        return cls(**found)

    def encoding_options(self, genome: str | None, mapping: str | None) -> Options:
        """The options to encode with; `genome` and `mapping` are where these files are."""
        options = dict(self.options or {})
        alphabet = mapping or self.alphabet
        columns = Columns(**(self.columns or {}))
        return Options(**options, alphabet=alphabet, genome=genome, columns=columns)


def encoding_of(section: Mapping[str, Any], told: Path) -> KeptEncoding:
    """What is to be kept of a run.

    Parameters
    ----------
    section
        The config's `preprocess`; empty or a command: the files are the user's own.
    told
        `encoding.json` of the data folder, or of a fold's.
    """
    if not section or section.get("command"):
        return KeptEncoding()
    plan = planning.parse(section)
    found, options = read_json(told), plan.options
    featured = any(source.features for _, source in plan.sources())
    mapped = options.alphabet not in planning.BUILT_IN_ALPHABETS
    columns = {k: getattr(options.columns, k) for k in ("sequence", "name", "paired")}
    return KeptEncoding(
        kind=FEATURES if featured else SEQUENCES,
        shape=tuple(found["shape"]),
        width=found["width"],
        letters=found["letters"],
        features=tuple(found["features"] or ()),
        classes=tuple(found["classes"]),
        labels=tuple(str(title) for title in options.columns.labels),
        alphabet=Path(options.alphabet).name if mapped else options.alphabet,
        mapping=Path(options.alphabet).read_text("utf-8", "replace") if mapped else None,
        genome=_genome(options.genome),
        columns={k: v for k, v in columns.items() if v is not None},
        options={key: getattr(options, key) for key in KEPT_OPTIONS},
    )


def part_of(section: Mapping[str, Any]) -> dict[str, Any]:
    """What of the section the kept encoding depends on; files count by their contents."""
    if not section or section.get("command"):
        return {}
    plan = planning.parse(section)
    options = asdict(plan.options)
    for key in ("genome", "alphabet"):
        options[key] = options[key] and Path(options[key]).name
    options["features"] = any(source.features for _, source in plan.sources())
    del options["compression"], options["negatives_per_positive"], options["width"]
    found: dict[str, Any] = json.loads(json.dumps(options))  # as it is read back
    return found


def _genome(path: str | None) -> dict[str, str] | None:
    if path is None:
        return None
    memory = HashMemory()
    found = memory.file(path)
    memory.save()
    return {"name": Path(path).name, "sha256": str(found)}


def told_files(section: Mapping[str, Any]) -> list[str]:
    """Names under the data folder of the files that the kept encoding is made of."""
    return [encoding_file(section)] if section and not section.get("command") else []


def needed_files(section: Mapping[str, Any]) -> list[str]:
    """The raw files that the kept encoding is made of: a genome and a mapping file."""
    if not section or section.get("command"):
        return []
    options = planning.parse(section).options
    mapped = options.alphabet not in planning.BUILT_IN_ALPHABETS
    return [*([options.genome] if options.genome else []), *([options.alphabet] if mapped else [])]


def encodes_windows(section: Mapping[str, Any]) -> bool:
    """Whether a window of a genome can be a record like those of the training set."""
    if not section or section.get("command"):
        return False
    plan = planning.parse(section)
    sources = [source for _, source in plan.sources()]
    paired = plan.options.columns.paired is not None or any(source.paired for source in sources)
    featured = any(source.features for source in sources)
    return not (paired or featured or plan.options.alphabet == "protein")
