"""What the config's `preprocess` section asks for: its sets, its files in and out, its options.

Pure Python and cheap to import: the workflow reads it to build its graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.split import Split, fold_folder, folds_of, parse_split, unset

LABELLED_SETS = ("train", "valid", "test")
PREDICT = "predict"
SOURCE_KEYS = ("sequences", "features", "targets", "positives", "negatives", "paired")
SHUFFLE = "shuffle"
BUILT_IN_ALPHABETS = ("dna", "rna", "protein")
CHOICES = {
    "ambiguous": ("error", "zero", "iupac"),
    "length": ("strict", "pad", "crop", "fit"),
    "align": ("left", "center", "right"),
    "reverse_complement": ("none", "train", "all"),
    "compression": ("blosc", "gzip", "none"),
    "center": ("summit", "middle"),
    "outside": ("error", "drop", "pad", "shift"),
}


@dataclass(frozen=True)
class Source:
    """The raw files of one set; a key that is not used is None."""

    sequences: str | None = None
    features: str | None = None
    targets: str | None = None
    positives: str | None = None
    negatives: str | None = None
    paired: str | None = None

    def files(self) -> list[str]:
        """The files that are read, in the order of the keys."""
        paths = [getattr(self, key) for key in SOURCE_KEYS]
        return [path for path in paths if path is not None and path != SHUFFLE]


@dataclass(frozen=True)
class Columns:
    """Where a table keeps what: names from its first line, or numbers counted from 1."""

    sequence: str | int | None = None
    name: str | int | None = None
    paired: str | int | None = None
    labels: tuple[str | int, ...] = ()
    missing: tuple[str, ...] = ()
    group: str | int | None = None


@dataclass(frozen=True)
class Options:
    """How sequences are encoded and stored, for all sets alike."""

    alphabet: str = "dna"
    ambiguous: str = "error"
    length: str = "strict"
    align: str = "center"
    width: int | None = None
    window: int | None = None
    center: str = "summit"
    outside: str = "error"
    genome: str | None = None
    columns: Columns = Columns()
    negatives_per_positive: int = 1
    reverse_complement: str = "none"
    compression: str = "blosc"


@dataclass(frozen=True)
class Command:
    """A user's own command that makes the data files."""

    command: str
    inputs: tuple[str, ...] = ()
    outputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A checked `preprocess` section: sets of files, or one source and its split, or a command."""

    sets: Mapping[str, Source] = field(default_factory=dict)
    whole: Source | None = None
    split: Split | None = None
    options: Options = Options()
    command: Command | None = None

    def names(self) -> list[str]:
        """Names of all sets; each becomes `<name>.h5`."""
        split = self.split.sets() if self.split else []
        return [*split, *(name for name in self.sets if name not in split)]

    @property
    def folder(self) -> str:
        """What stands before the names of labelled sets: with folds the folder of the fold."""
        folds = self.split.folds if self.split else None
        return f"{fold_folder(folds.fold)}/" if folds else ""

    def file(self, name: str) -> str:
        """The HDF5 file of a set, below the data folder."""
        return f"{self.folder if name in LABELLED_SETS else ''}{name}.h5"

    def sources(self) -> Iterator[tuple[str, Source]]:
        """Each source with its key in the section ('' for the one that is split)."""
        if self.whole is not None:
            yield "", self.whole
        yield from self.sets.items()


def planned_files(section: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names under the data folder of the files that preprocessing writes for each stage's set.

    Keys are among `train`, `valid`, `test` and `predict`. An empty section writes nothing. With
    folds the labelled sets are those of the section's fold.
    """
    plan = parse(section)
    if plan.command is not None:
        return _of_command(plan.command, section)
    planned: dict[str, list[str]] = {}
    for name in plan.names():
        key = name if name in LABELLED_SETS else PREDICT
        planned.setdefault(key, []).append(plan.file(name))
    return planned


def _of_command(command: Command, section: Mapping[str, Any]) -> dict[str, list[str]]:
    """A command makes all folds at once; those of the section's fold are in its folder."""
    folds, made = folds_of(section), {key: list(files) for key, files in command.outputs.items()}
    if folds is None:
        return made
    if folds.lists:
        raise UserError(
            "repeat.folds: lists what each fold tests, but preprocess.command makes the data"
            " itself; give the number of folds"
        )
    start = f"{fold_folder(folds.fold)}/"
    for key in (name for name in LABELLED_SETS if name in made):
        made[key] = [name for name in made[key] if name.startswith(start)]
        if not made[key]:
            raise UserError(
                f"preprocess.command.outputs.{key}: names no file in {start}, but there are"
                f" {folds.count} folds (repeat.folds); name the files of each"
            )
    return made


def output_files(section: Mapping[str, Any]) -> list[str]:
    """Names under the data folder of all files that preprocessing writes, each once.

    Beside each HDF5 file stands a JSON file of statistics; a command's files have none.
    """
    files = [file for files in planned_files(section).values() for file in files]
    if not section.get("command"):
        files += [statistics_name(file) for file in files]
    return list(dict.fromkeys(files))


def statistics_name(data_file: str) -> str:
    """`train.h5` -> `train.stats.json`."""
    return data_file.removesuffix(".h5") + ".stats.json"


def input_files(section: Mapping[str, Any]) -> list[str]:
    """Raw files that preprocessing reads, each once, in the order of the section."""
    plan = parse(section)
    if plan.command is not None:
        return list(dict.fromkeys(plan.command.inputs))
    paths = [path for _, source in plan.sources() for path in source.files()]
    if plan.options.genome:
        paths.append(plan.options.genome)
    if plan.options.alphabet not in BUILT_IN_ALPHABETS:
        paths.append(plan.options.alphabet)
    return list(dict.fromkeys(paths))


def parse(section: Mapping[str, Any]) -> Plan:
    """Check a `preprocess` section and give it its defaults.

    Keys that are absent, None or empty are the same. Types are the schema's business; this checks
    what the keys mean together.

    Raises
    ------
    UserError
        Keys that exclude each other, or one that another needs, by name.
    """
    if section.get("command"):
        return Plan(command=_command(section))
    sets = {name: _source(name, section[name]) for name in LABELLED_SETS if section.get(name)}
    predict = section.get(PREDICT) or {}
    for name, keys in predict.items():
        _check_predict_name(name)
        sets[name] = _source(f"{PREDICT}.{name}", keys, labelled=False)
    whole = None
    if any(section.get(key) for key in SOURCE_KEYS):
        whole = _source("", {key: section.get(key) for key in SOURCE_KEYS})
    split = _split(section, whole, sets)
    options = _options(section, split)
    plan = Plan(sets=sets, whole=whole, split=split, options=options)
    _check_together(plan)
    return plan


def _source(name: str, keys: Mapping[str, Any], labelled: bool = True) -> Source:
    where = f"preprocess.{name}" if name else "preprocess"
    if not isinstance(keys, Mapping):
        raise UserError(
            f"{where}: is {'empty' if keys is None else repr(keys)}, but must name the files of the"
            " set, as in {sequences: new.fa}; give them, or remove the key"
        )
    source = Source(**{key: keys.get(key) or None for key in SOURCE_KEYS})
    given = [k for k in ("sequences", "features", "positives") if getattr(source, k)]
    if len(given) != 1:
        raise UserError(
            f"{where}: give exactly one of sequences, features and positives"
            f" (there are {' and '.join(given) if given else 'none'})"
        )
    if source.positives and not source.negatives:
        raise UserError(f"{where}.negatives: is missing; give a file or '{SHUFFLE}'")
    if source.negatives and not source.positives:
        raise UserError(f"{where}.negatives: needs positives beside it, not {given[0]}")
    if source.positives and (source.targets or source.paired):
        raise UserError(
            f"{where}: positives and negatives make the labels 1 and 0, so targets and paired"
            " cannot stand beside them; remove those keys"
        )
    if source.features and source.paired:
        raise UserError(f"{where}.paired: needs sequences beside it, not features")
    if not labelled and (source.targets or source.positives):
        raise UserError(
            f"{where}: a set to predict on has no labels; remove its targets or positives"
        )
    return source


def _check_predict_name(name: str) -> None:
    if name in SOURCE_KEYS:
        raise UserError(
            f"preprocess.predict.{name}: name the set first, as in"
            " predict: {new: {sequences: new.fa}}, which writes new.h5"
        )
    if name in LABELLED_SETS or "/" in name or name.startswith(".") or not name:
        raise UserError(
            f"preprocess.predict.{name}: this name cannot be a set's; choose a plain file name"
            " other than train, valid and test"
        )


def _split(
    section: Mapping[str, Any], whole: Source | None, sets: Mapping[str, Source]
) -> Split | None:
    keys, folds = section.get("split") or {}, folds_of(section)
    if folds is None and unset(keys.get("valid")) and unset(keys.get("test")):
        if whole is not None:
            raise UserError(
                "preprocess.split: is missing; say how the one input is split, as in"
                " {by: fraction, valid: 0.1, test: 0.1} or {by: chromosome, test: [chr1]}"
            )
        return None
    if whole is None:
        raise UserError(
            f"{'repeat.folds' if folds else 'preprocess.split'}: needs one input beside it"
            " (sequences, features or positives of preprocess)"
        )
    split = parse_split(keys, folds)
    doubled = [name for name in split.sets() if name in sets]
    if doubled:
        raise UserError(
            f"preprocess.{doubled[0]}: is given as files and made by"
            f" {'repeat.folds' if folds else 'the split'}; keep one of them"
        )
    return split


def _options(section: Mapping[str, Any], split: Split | None) -> Options:
    given = {
        key: section[key]
        for key in Options.__dataclass_fields__
        if key != "columns" and not unset(section.get(key))
    }
    for key, allowed in CHOICES.items():
        if key in given and given[key] not in allowed:
            raise UserError(
                f"preprocess.{key}: is {given[key]!r}, but must be one of {', '.join(allowed)}"
            )
    for key in ("width", "window", "negatives_per_positive"):
        if key in given and (not isinstance(given[key], int) or given[key] < 1):
            raise UserError(f"preprocess.{key}: is {given[key]!r}, but must be a whole number >= 1")
    columns = _columns(section.get("columns") or {}, split.column if split else None)
    return Options(**given, columns=columns)


def _columns(columns: Mapping[str, Any], group: str | int | None) -> Columns:
    named = {key: columns[key] for key in ("sequence", "name", "paired") if columns.get(key)}
    labels = tuple(columns.get("labels") or ())
    if columns.get("label"):
        if labels:
            raise UserError("preprocess.columns.label: stands beside labels; keep one of them")
        labels = (columns["label"],)
    doubled = [column for column in labels if labels.count(column) > 1]
    if doubled:
        raise UserError(f"preprocess.columns.labels: names {doubled[0]!r} twice; name it once")
    missing = columns.get("missing")
    missing = [missing] if isinstance(missing, (str, int, float)) else missing or []
    texts = tuple(str(text) for text in missing)
    return Columns(**named, labels=labels, missing=texts, group=group)


def _check_together(plan: Plan) -> None:
    options = plan.options
    labelled = [source for source in (plan.whole, *map(plan.sets.get, LABELLED_SETS)) if source]
    if options.columns.labels and labelled and all(source.positives for source in labelled):
        raise UserError(
            "preprocess.columns.labels: positives and negatives make the labels 1 and 0; remove it"
        )
    if options.length == "fit" and options.width is None:
        raise UserError("preprocess.width: is missing; length 'fit' needs it, as in width: 200")
    if options.length == "strict" and options.width is not None:
        raise UserError(
            f"preprocess.width: is {options.width}, but length 'strict' takes the width of the"
            " data; set length to pad, crop or fit, or remove width"
        )
    if options.window is not None and options.genome is None:
        raise UserError("preprocess.window: needs genome, since it resizes BED intervals")
    if options.outside != "error" and options.genome is None:
        raise UserError("preprocess.outside: needs genome, since it is about BED intervals")
    if options.columns.group is not None and plan.whole is not None and plan.whole.features:
        raise UserError("preprocess.split.by: is 'group', but features have none; use fraction")
    if options.alphabet == "protein" and options.reverse_complement != "none":
        raise UserError("preprocess.reverse_complement: proteins have none; remove this key")
    if len({bool(source.features) for _, source in plan.sources()}) > 1:
        raise UserError("preprocess: some sets have features and others sequences; use one kind")
    paired = {bool(source.paired) for _, source in plan.sources()}
    if len(paired) > 1:
        raise UserError("preprocess: some sets have a paired input and others none; give all one")
    if options.columns.paired is not None and True in paired:
        raise UserError("preprocess.columns.paired: the paired input is a file already; keep one")


def _command(section: Mapping[str, Any]) -> Command:
    keys = section["command"]
    if others := [k for k in (*LABELLED_SETS, PREDICT, *SOURCE_KEYS) if section.get(k)]:
        raise UserError(
            f"preprocess.{others[0]}: cannot stand beside preprocess.command, which makes the"
            " data itself; remove one of them"
        )
    outputs = {key: tuple(files) for key, files in (keys.get("outputs") or {}).items() if files}
    if not keys.get("run"):
        raise UserError("preprocess.command.run: is missing; write the command to run")
    if not outputs:
        raise UserError(
            "preprocess.command.outputs: is empty; list the files that the command makes,"
            " as in {train: [train.csv], test: [test.csv]}"
        )
    for key, files in outputs.items():
        for file in files:
            if file.startswith("/") or ".." in file.split("/"):
                raise UserError(
                    f"preprocess.command.outputs.{key}: {file} leaves the data folder;"
                    " give a path below it"
                )
    return Command(keys["run"], tuple(keys.get("inputs") or ()), outputs)
