"""One file of sequences and one of labels to HDF5, with the arguments of the 2018 `embedH5.py`.

On ACGTN input the arrays equal that script's: rows A, C, G, T, zero for N, shape (N, 4, 1, L).
Other letters, which it turned into random vectors, are an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import atomic_path
from dlutil_core.common.logs import log
from dlutil_core.common.terminal import RecordProgress
from dlutil_core.preprocess.encode.alphabet import load
from dlutil_core.preprocess.encode.encoder import Encoder
from dlutil_core.preprocess.encode.widths import Widths
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.numbers import NumberReader
from dlutil_core.preprocess.read.sources import SourceReader
from dlutil_core.preprocess.read.text_files import check_readable
from dlutil_core.preprocess.section import Options, Source
from dlutil_core.preprocess.write.datasets import common_dtype, disk_full_is_a_sentence, smallest
from dlutil_core.preprocess.write.set_output import SetOutput


@dataclass(frozen=True)
class Embedding:
    """What to embed.

    Attributes
    ----------
    infile, labelfile, outfile
        Sequences (FASTA or TSV, known by the content) or numbers; labels, or empty; HDF5.
    mapper
        Mapping file, or empty for A, C, G, T.
    infile2
        Paired sequences, or empty.
    batch
        Records a file: ``outfile.batch1``, ``outfile.batch2``, …; 0 writes `outfile` alone.
    labelname, dataname
        Names of the datasets.
    isseq
        Whether `infile` holds sequences; otherwise numbers.
    ambiguous
        What letters outside the alphabet are: ``error``, ``zero`` or ``iupac``.
    """

    infile: str
    labelfile: str
    outfile: Path
    mapper: str = ""
    infile2: str = ""
    batch: int = 5000
    labelname: str = "label"
    dataname: str = "data"
    isseq: bool = True
    ambiguous: str = "error"


def embed(task: Embedding) -> None:
    """Write the file or the batches; all appear at the end, or none does.

    Batches that an earlier run with more records left behind are removed, since a loader's
    ``outfile.batch*`` would read them too.
    """
    paths = [task.infile, task.labelfile, task.infile2, task.mapper]
    for path in filter(None, paths):
        check_readable(path)
    if task.batch < 0:
        raise UserError(f"--batch: is {task.batch}, but must be 0 or the records of a file")
    options = Options(alphabet=task.mapper or "dna", ambiguous=task.ambiguous)
    source = Source(
        sequences=task.infile if task.isseq else None,
        features=None if task.isseq else task.infile,
        targets=task.labelfile or None,
        paired=task.infile2 or None,
    )
    alphabet = load(options.alphabet, options.ambiguous)
    encoder = Encoder(alphabet, Widths("strict", "center", None), options.ambiguous)
    _check_names(task)
    progress = RecordProgress(str(task.outfile))
    count = 0
    with ExitStack() as stack, disk_full_is_a_sentence(task.outfile.parent):
        reader = stack.enter_context(SourceReader(options, 0))
        dtype = _label_dtype(task.labelfile, reader)
        for batch in _batches(reader.read(source), task.batch):
            count += 1
            name = f"{task.outfile}.batch{count}" if task.batch else str(task.outfile)
            temporary = stack.enter_context(atomic_path(name))
            output = SetOutput(temporary, alphabet, "blosc", task.dataname, task.labelname)
            stack.callback(output.abort)
            for block in batch:
                fitted = encoder.fit(block, with_reverse=False)
                output.add(fitted, encoder.encode(fitted))
                progress.add(len(block))
            output.finish(dtype, reader.labels)
        progress.clear()
    progress.finish()
    if task.batch:
        _remove_stale(task.outfile, count)


def _check_names(task: Embedding) -> None:
    """Refuse names of datasets that are one, or that the file needs for names of records."""
    for option, name in (("-d", task.dataname), ("-l", task.labelname)):
        if name.strip("/") in ("", ".", "name", "interval"):
            raise UserError(f"{option}: {name!r} cannot be a dataset's name here; choose another")
    if task.dataname.strip("/") == task.labelname.strip("/"):
        raise UserError(f"-d and -l: are both {task.dataname!r}, but must be two names")
    for option, path in (("infile", task.infile), ("labelfile", task.labelfile)):
        if path and task.outfile == Path(path):
            raise UserError(f"outfile: is {option} too, {path}; give another file to write")


def _label_dtype(path: str, reader: SourceReader) -> np.dtype:
    """One dtype for all batches, from a first look at the labels, which finds the classes too."""
    dtype = np.dtype(np.uint8)
    if not path:
        return dtype
    for labels in NumberReader(path, "target", reader.labels, reader.told):
        dtype = common_dtype(dtype, smallest(labels).dtype)
    reader.labels.check()
    return dtype


def _batches(stream: Iterator[Block], size: int) -> Iterator[Iterator[Block]]:
    """Group a stream into batches of `size` records; each must be used up before the next."""
    held: list[Block] = []

    def batch() -> Iterator[Block]:
        missing = size
        while missing:
            block = held.pop() if held else next(stream, None)
            if block is None:
                return
            if len(block) > missing:
                held.append(block.take(np.arange(missing, len(block))))
                block = block.take(np.arange(missing))
            missing -= len(block)
            yield block

    if size == 0:
        yield stream
        return
    while True:
        if not held:
            block = next(stream, None)
            if block is None:
                return
            held.append(block)
        yield batch()


def _remove_stale(outfile: Path, count: int) -> None:
    pattern = re.compile(re.escape(outfile.name) + r"\.batch(\d+)")
    for file in sorted(outfile.parent.iterdir()):
        match = pattern.fullmatch(file.name)
        if match and int(match[1]) > count:
            file.unlink()
            log.info(f"{file}: removed, an earlier run with more records had made it")
