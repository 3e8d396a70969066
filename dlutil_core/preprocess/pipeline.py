"""Raw files to HDF5: reads the sources of a section block by block and writes all its sets.

All files appear together at the end, or none does.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import atomic_path, read_json, write_json
from dlutil_core.common.logs import log
from dlutil_core.common.terminal import RecordProgress
from dlutil_core.preprocess import section as planning
from dlutil_core.preprocess.command import run_command
from dlutil_core.preprocess.encode.alphabet import load
from dlutil_core.preprocess.encode.duplicates import report_duplicates
from dlutil_core.preprocess.encode.encoder import Encoder
from dlutil_core.preprocess.encode.splitting import ChromosomeSplit
from dlutil_core.preprocess.encode.widths import Widths
from dlutil_core.preprocess.parts import ENCODING
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.sources import SourceReader
from dlutil_core.preprocess.read.text_files import check_readable
from dlutil_core.preprocess.section import SHUFFLE, Plan, Source
from dlutil_core.preprocess.split import Split
from dlutil_core.preprocess.splitter import Splitter, splitter_of
from dlutil_core.preprocess.write.datasets import common_dtype, disk_full_is_a_sentence
from dlutil_core.preprocess.write.set_output import SetOutput


def preprocess(
    section: Mapping[str, Any], data: Path, seed: int, later: Path | None = None
) -> None:
    """Write the HDF5 and statistics files of a `preprocess` section.

    Parameters
    ----------
    section
        As the schema describes it, perhaps for a fold (`parts.with_folds`).
    data
        Folder of the files; those of a fold are in a folder below.
    seed
        The run's seed, for splits and shuffles.
    later
        The `encoding.json` of other sets, as which these are encoded.

    Raises
    ------
    UserError
        A wrong input, named with its file and record; no file is written then.
    """
    plan = planning.parse(section)
    for path in planning.input_files(section):
        check_readable(path)
    if plan.command is not None:
        run_command(plan.command, data, seed)
        return
    folder = data / plan.folder
    folder.mkdir(parents=True, exist_ok=True)
    with SourceReader(plan.options, seed) as reader:
        _Run(plan, reader, folder, seed, later).run()


class _Run:
    """One run over the sources of a plan."""

    def __init__(
        self, plan: Plan, reader: SourceReader, data: Path, seed: int, later: Path | None
    ) -> None:
        self.plan = plan
        self.later = later
        self.reader = reader
        self.data = data
        self.seed = seed
        options = plan.options
        alphabet = load(options.alphabet, options.ambiguous)
        told: dict[str, Any] = read_json(later) if later else {"width": options.width}
        width = told["width"]
        reader.features.titles = told.get("features") or []
        reader.features.known_from = "the table that was trained on"
        self.widths = Widths(options.length, options.align, width or self._scanned_width())
        labelled = set(plan.names()) & set(planning.LABELLED_SETS)
        self.encoder = Encoder(alphabet, self.widths, options.ambiguous, strands=len(labelled) > 1)
        self.outputs: dict[str, SetOutput] = {}
        self.progress = RecordProgress("preprocessing")

    def run(self) -> None:
        names = self.plan.names()
        self._remove_leftovers(names)
        with ExitStack() as stack, disk_full_is_a_sentence(self.data):
            stats = [stack.enter_context(atomic_path(self._stats_path(n))) for n in names]
            paths = [stack.enter_context(atomic_path(self.data / f"{n}.h5")) for n in names]
            told = None if self.later else stack.enter_context(atomic_path(self.data / ENCODING))
            for name, path in zip(names, paths, strict=True):
                output = SetOutput(path, self.encoder.alphabet, self.plan.options.compression)
                self.outputs[name] = output
                stack.callback(output.abort)
            self._read_all()
            self._finish()
            both = frozenset(name for name in names if self._has_both_strands(name))
            found = report_duplicates(self.outputs, dict(zip(names, paths, strict=True)), both)
            for name, path in zip(names, stats, strict=True):
                summary = {"file": f"{name}.h5"} | self.outputs[name].summary() | found[name]
                write_json(path, summary)
            if told is not None:
                write_json(told, self._encoding())
        for name, output in self.outputs.items():
            log.info(f"{self.data / name}.h5: {output.records} records")

    def _encoding(self) -> dict[str, Any]:
        """What later sets, and a trained model, need to know of how these were encoded."""
        first = next(iter(self.outputs.values()))
        featured = self.encoder.features > 0
        onehot = not featured and self.encoder.alphabet.is_onehot
        return {
            "width": self.widths.width,
            "shape": list(first.shape),
            "letters": "".join(self.encoder.alphabet.letters) if onehot else None,
            "features": self.reader.features.titles or None,
            "classes": self.reader.labels.classes(),
        }

    def _remove_leftovers(self, names: list[str]) -> None:
        """Remove the temporary files of a run that was killed."""
        for name in names:
            for suffix in (".h5", ".stats.json"):
                for path in self.data.glob(f".{glob.escape(name)}{suffix}.*.tmp"):
                    path.unlink(missing_ok=True)

    def _stats_path(self, name: str) -> Path:
        return self.data / planning.statistics_name(f"{name}.h5")

    def _read_all(self) -> None:
        try:
            for name, block in self._routed():
                self._write(name, block)
        finally:
            self.progress.clear()
        self.progress.finish()

    def _write(self, name: str, block: Block) -> None:
        fitted = self.encoder.fit(block, self._has_both_strands(name))
        output = self.outputs[name]
        if block.features is None:
            output.sequence_counts.add_lengths(block)
        output.add(fitted, self.encoder.encode(fitted))
        self.progress.add(len(fitted))

    def _has_both_strands(self, name: str) -> bool:
        return self.plan.options.reverse_complement in ("all", name)

    def _routed(self) -> Iterator[tuple[str, Block]]:
        """All blocks in order, each with the name of its set."""
        if self.plan.whole is not None and self.plan.split is not None:
            yield from self._split(self.plan.whole, self.plan.split)
        for name, source in self.plan.sets.items():
            for block in self.reader.read(source, name in planning.LABELLED_SETS):
                yield name, block

    def _split(self, whole: Source, split: Split) -> Iterator[tuple[str, Block]]:
        splitter = splitter_of(self.reader, whole, split, self.seed)
        self.reader.labels.start()
        filled, place = set(), 0
        for block in self.reader.read(whole):
            assigned = splitter.assign(block)
            if split.folds is not None:
                block = replace(block, places=np.arange(place, place + len(block)))
                place += len(block)
            for number, name in enumerate(splitter.sets):
                chosen = np.flatnonzero(assigned == number)
                if len(chosen):
                    filled.add(name)
                    yield name, block if len(chosen) == len(block) else block.take(chosen)
        for name in splitter.sets:
            if name not in filled:
                raise UserError(_empty_set(name, split, splitter))
        if isinstance(splitter, ChromosomeSplit) and splitter.absent():
            absent = ", ".join(splitter.absent())
            log.warning(f"warning: preprocess.split: no record is on {absent}")

    def _finish(self) -> None:
        self.reader.labels.check()
        labelled = {n: o.labels for n, o in self.outputs.items() if o.labels is not None}
        dtype = np.dtype(np.uint8)
        columns: tuple[str, int] | None = None
        for name, labels in labelled.items():
            dtype = common_dtype(dtype, labels.dtype)
            columns = columns or (name, labels.columns)
            if labels.columns != columns[1]:
                raise UserError(
                    f"preprocess.{name}: has {labels.columns} columns of labels, but {columns[0]}"
                    f" has {columns[1]}; make them equal"
                )
        for name, output in self.outputs.items():
            if name in planning.LABELLED_SETS and output.labels is None:
                log.warning(
                    f"warning: preprocess.{name}: has no labels; give targets, or negatives beside"
                    " positives, unless your loader makes them"
                )
            output.finish(dtype, self.reader.labels)
        for names in filter(None, self.reader.labels.classes()):
            log.info(f"classes: {', '.join(f'{k} {name}' for k, name in enumerate(names[:20]))}")

    def _scanned_width(self) -> int | None:
        """The longest (pad) or shortest (crop) sequence of all sets; None where it need not be."""
        choose = {"pad": max, "crop": min}.get(self.plan.options.length)
        if choose is None:
            return None
        widths = [
            choose(map(len, sequences))
            for _, source in self.plan.sources()
            for sequences in self._all_sequences(source)
        ]
        return choose(widths) if widths else None

    def _all_sequences(self, source: Source) -> Iterator[list[bytes]]:
        for path in (source.sequences, source.positives, source.negatives, source.paired):
            if path is None or path == SHUFFLE:
                continue
            for block in self.reader.sequences(path):
                yield block.sequences
                if block.paired is not None:
                    yield block.paired


def _empty_set(name: str, split: Split, splitter: Splitter) -> str:
    if isinstance(splitter, ChromosomeSplit):
        wanted = "the others" if name == "train" else ", ".join(getattr(split, name))
        return (
            f"preprocess.split: the set {name} is empty, no record is on {wanted}; the records are"
            f" on {splitter.known()}"
        )
    return (
        f"preprocess.split: the set {name} is empty; there are too few records for a share of"
        f" {getattr(split, name, 'what is left')}"
    )
