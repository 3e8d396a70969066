"""`dlutil init FOLDER`: from raw files to a config and a `def.py` that run at once."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from dlutil_core.cli.start import records, split, task
from dlutil_core.cli.start.definition import definition_text
from dlutil_core.cli.start.table import Table
from dlutil_core.common.errors import UserError
from dlutil_core.common.files import atomic_path, sentence_of
from dlutil_core.preprocess.encode.alphabet import RESIDUES
from dlutil_core.preprocess.section import SHUFFLE, Columns, Options, Source

CONFIG = """\
# Written by `dlutil init`. Run it in this folder: dlutil run config.yaml
# Paths hold from here. All keys: docs/config.md of the repository.

definition: def.py       # loaders, model and search space: yours to change
data: results/data       # preprocessing writes train.h5, valid.h5 and test.h5 there
result: results
seed: 1
batch_size: {batch_size}
search: {{max_epochs: 27}} # more epochs later train only what is missing
predict: [test.h5]

"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "init",
        help="write a config.yaml and a def.py for your files",
        description="Write FOLDER/config.yaml and FOLDER/def.py for your files; both run at once.",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--sequences", metavar="FILE", help="FASTA, a table, or BED with --genome")
    what.add_argument("--positives", metavar="FILE", nargs="+", help="sequences of class 1")
    what.add_argument("--table", metavar="FILE", help="a table of numbers, with column names")
    add("--targets", metavar="FILE", help="labels of the sequences, a line for each")
    add("--negatives", metavar="FILE", help="sequences of class 0 (shuffled positives)")
    add("--labels", metavar="COLUMN", nargs="+", default=[], help="columns to predict")
    add("--leave-out", metavar="COLUMN", nargs="+", default=[], help="columns of --table")
    add("--sequence-column", metavar="COLUMN", help="the column of sequences in a table")
    add("--genome", metavar="FASTA", help="the genome of intervals")
    add("--window", type=int, metavar="N", help="letters that each interval is resized to")
    add("--alphabet", choices=["dna", "rna", "protein"], help="where the letters do not tell")
    add("--task", choices=task.CHOICES, help="where labels do not tell what they are")
    for name in ("--valid", "--test"):
        add(
            name,
            nargs="+",
            default=[],
            metavar="WHAT",
            help="a file with its targets or negatives, a share such as 0.15, or chromosomes",
        )
    parser.set_defaults(function=init)


def init(arguments: argparse.Namespace) -> None:
    """Write both files.

    Raises
    ------
    UserError
        Flags that contradict each other, files with two readings, files that are there already.
    """
    folder: Path = arguments.folder
    for name in ("config.yaml", "def.py"):
        if (folder / name).exists():
            raise UserError(f"{folder / name}: is there already; give another folder")
    try:
        _check_flags(arguments)
        made = _Start(arguments)
        folder.mkdir(parents=True, exist_ok=True)
        made.write(folder)
    except OSError as error:
        raise UserError(sentence_of(error, str(folder))) from error
    except UserError as error:
        raise UserError(_with_flags(str(error))) from None


def _with_flags(text: str) -> str:
    """A sentence of preprocessing, with the flag of its key."""
    for key, flag in (
        ("set preprocess.genome to its FASTA file", "give its FASTA file with --genome"),
        ("name the column in preprocess.columns.sequence", "name it with --sequence-column"),
        ("preprocess.columns.labels", "--labels"),
        ("correct preprocess.columns", "name another one"),
    ):
        text = text.replace(key, flag)
    return text


def _check_flags(given: argparse.Namespace) -> None:
    alone = {
        "--targets": (given.targets, given.sequences, "--sequences"),
        "--negatives": (given.negatives, given.positives, "--positives"),
        "--leave-out": (given.leave_out, given.table, "--table"),
        "--sequence-column": (given.sequence_column, given.sequences, "--sequences"),
        "--window": (given.window, given.genome, "--genome"),
    }
    for flag, (value, beside, other) in alone.items():
        if value and not beside:
            raise UserError(f"{flag} belongs to {other}, which is not given")
    if given.positives and len(given.positives) > 1:
        raise UserError(
            "--positives is one file; for peaks of several experiments give one table or BED file"
            " with a column of 0 and 1 for each: --sequences FILE --labels COLUMN …"
        )
    if given.table and (given.genome or given.alphabet):
        raise UserError("--genome and --alphabet are for sequences, but --table holds numbers")
    if given.positives and given.labels:
        raise UserError(
            "--positives have the labels 1 and 0; --labels is for --sequences or --table"
        )
    if given.window is not None and given.window < 1:
        raise UserError(f"--window is {given.window}, but must be at least 1")


class _Start:
    """What is found in the files, as a config and a definition."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.tables: dict[str, Table] = {}
        self.notes: list[str] = []
        self.in_files = self._in_files()
        self.alphabet: str | None = None
        if given.table:
            found, names = self._look_at_tables()
        else:
            names = [] if any(label.isdigit() for label in given.labels) else given.labels
            found = self._look_at_sequences()
        self.found = found
        if given.positives:
            self.task = task.Task(task.CLASSES, 2, ("0: negative", "1: positive"))
        else:
            self.task = task.task_of(found, given.task, names)
        self.split: dict[str, Any] = {}
        if not self.in_files:
            self.split, note = split.split_of(given.valid, given.test, found.chromosomes)
            self.notes += [note] if note else []

    def _in_files(self) -> bool:
        given = self.given
        words = {"--valid": given.valid, "--test": given.test}
        kinds = {flag: split.kind_of(flag, w) for flag, w in words.items() if w}
        if "files" not in kinds.values():
            return False
        if len(kinds) < 2 or set(kinds.values()) != {"files"}:
            raise UserError(
                "one of --valid and --test names files, so the other one must do so, too"
            )
        return True

    def _sources(self) -> dict[str, dict[str, str]]:
        """The files of each set by key; of `train` alone where it is to be split."""
        given = self.given
        first = {"sequences": given.sequences, "targets": given.targets}
        second = "targets"
        if given.positives:
            first = {"positives": given.positives[0], "negatives": given.negatives or SHUFFLE}
            second = "negatives"
        sources = {"train": {k: v for k, v in first.items() if v}}
        if not self.in_files:
            return sources
        main = next(iter(first))
        for name in ("valid", "test"):
            words = getattr(given, name)
            wanted = 2 if first[second] and first[second] != SHUFFLE else 1
            if len(words) != wanted:
                what = f"the {main}" + (f" and the {second}" if wanted == 2 else "")
                raise UserError(f"--{name} needs {wanted} file{'s' * (wanted > 1)}: {what}")
            sources[name] = {main: words[0]}
            if first[second]:
                sources[name][second] = words[1] if wanted == 2 else SHUFFLE
        return sources

    def _options(self, alphabet: str) -> Options:
        given = self.given
        sequence = given.sequence_column
        columns = Columns(
            sequence=records.column(sequence) if sequence else None,
            labels=tuple(map(records.column, given.labels)),
        )
        return Options(alphabet=alphabet, genome=given.genome, window=given.window, columns=columns)

    def _look_at_sequences(self) -> records.Records:
        given = self.given
        sources = [Source(**keys) for keys in self._sources().values()]
        found = records.look(sources, self._options(given.alphabet or "dna"))
        several = found.labels is not None and found.labels.shape[1] > 1
        if several and not given.labels and not given.targets:
            raise UserError(
                f"{given.sequences}: has several columns of labels; name those to predict with"
                " --labels"
            )
        self.alphabet = given.alphabet or records.alphabet_of(found)
        if given.genome and not given.window and len(found.lengths) > 1:
            raise UserError(
                f"the intervals have {min(found.lengths)} to {max(found.lengths)} letters; say how"
                " many a model is to see around their centres, as in --window 200"
            )
        if 0 in found.lengths:
            raise UserError("a record has no letters; remove it")
        return found

    def _look_at_tables(self) -> tuple[records.Records, list[str]]:
        given = self.given
        paths = {"train": given.table}
        if self.in_files:
            paths |= {"valid": given.valid[0], "test": given.test[0]}
        for name, path in paths.items():
            self.tables[name] = Table(path, given.labels, given.leave_out)
        first = self.tables["train"]
        for table in self.tables.values():
            if table.input_names != first.input_names:
                raise UserError(
                    f"{table.path}: has other columns than {first.path}; make them equal"
                )
        from dlutil_core.preprocess.read.labels import LabelColumns
        from dlutil_core.preprocess.read.tables import label_places

        labels = LabelColumns()
        found = records.Records(chromosomes=None, columns=len(first.inputs))
        places = label_places(tuple(first.labels), first.titles)
        for table in self.tables.values():
            values = labels.values(table.path, table.rows, places)
            if table is first:
                found.labels = values
        labels.check()
        found.classes = labels.classes()
        return found, first.label_names

    def write(self, folder: Path) -> None:
        """Write the folder's files, and say what they are and what comes next."""
        section = self._section(folder)
        import yaml

        text = CONFIG.format(batch_size=self._batch_size())
        text += yaml.safe_dump({"preprocess": section}, sort_keys=False, default_flow_style=None)
        title = self._title()
        columns = self.found.columns
        definition = definition_text(self.alphabet, columns, self.task, title)
        for name, content in (("def.py", definition), ("config.yaml", text)):
            with atomic_path(folder / name) as temporary:
                Path(temporary).write_text(content, encoding="utf-8")
        print(title)
        for note in self.notes:
            print(f"Note: {note}.")
        print(f"Written: {folder / 'config.yaml'}, {folder / 'def.py'}")
        place = "" if str(folder) == "." else f"cd {shlex.quote(str(folder))} && "
        print(f"Next: {place}dlutil run config.yaml")

    def _batch_size(self) -> int:
        """Enough steps an epoch where records are few."""
        labels = self.found.labels
        count = 0 if labels is None else len(labels)
        return 100 if not count or count >= 1000 else 32

    def _title(self) -> str:
        kind = {"dna": "DNA", "rna": "RNA", "protein": "Proteins"}.get(self.alphabet or "", "")
        kind = kind or f"A table of {self.found.columns} columns"
        what = {
            task.CLASSES: f"{self.task.outputs} classes",
            task.LABELS: f"{self.task.outputs} labels, each yes or no",
            task.NUMBERS: "a number" if self.task.outputs == 1 else f"{self.task.outputs} numbers",
        }[self.task.kind]
        return f"{kind}: {what}."

    def _section(self, folder: Path) -> dict[str, Any]:
        """The config's `preprocess`."""
        if self.given.table:
            sets = self._written_tables(folder)
        else:
            sets = {
                name: {k: v if v == SHUFFLE else _path(v, folder) for k, v in keys.items()}
                for name, keys in self._sources().items()
            }
        section: dict[str, Any] = sets if self.in_files else dict(sets["train"])
        if not self.in_files:
            section["split"] = self.split
        return section | self._encoding(folder)

    def _encoding(self, folder: Path) -> dict[str, Any]:
        given = self.given
        if given.table:
            return {}
        found: dict[str, Any] = {}
        if self.alphabet != "dna":
            found["alphabet"] = self.alphabet
        odd = self.found.letters - _known(str(self.alphabet))
        if odd:
            letters = "".join(sorted(map(chr, odd)))
            found["ambiguous"] = "zero"
            self.notes.append(f"the letters {letters} are zero vectors (ambiguous: zero)")
        if given.genome:
            found["genome"] = _path(given.genome, folder)
        if given.window:
            found["window"] = given.window
        elif len(self.found.lengths) > 1:
            found["length"] = "pad"
        columns: dict[str, Any] = {}
        if given.sequence_column:
            columns["sequence"] = records.column(given.sequence_column)
        if given.labels:
            columns["labels"] = [records.column(label) for label in given.labels]
        return found | ({"columns": columns} if columns else {})

    def _written_tables(self, folder: Path) -> dict[str, dict[str, str]]:
        sets = {}
        for name, table in self.tables.items():
            kind = name if self.in_files else "all"
            features, targets = f"raw/{kind}.features.tsv", f"raw/{kind}.targets.tsv"
            (folder / "raw").mkdir(exist_ok=True)
            table.write(folder / features, folder / targets)
            sets[name] = {"features": features, "targets": targets}
        names = ", ".join(self.tables["train"].input_names[:6])
        self.notes.append(
            f"the table's columns are in {folder / 'raw'}; tables to predict have the"
            f" {self.found.columns} columns {names}"
            + (" and so on" if self.found.columns > 6 else "")
        )
        return sets


def _known(alphabet: str) -> set[int]:
    """The letters that an alphabet reads without being told how."""
    known = {"dna": "ACGTN", "rna": "ACGUTN", "protein": RESIDUES + "X"}[alphabet]
    return set(known.encode())


def _path(path: str, folder: Path) -> str:
    """A file as seen from the folder; absolute paths stay."""
    return path if os.path.isabs(path) else os.path.relpath(path, folder)
