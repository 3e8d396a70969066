"""Raw records for a trained model: encoded as its training data were, or refused in a sentence."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.preprocess.encode.alphabet import load
from dlutil_core.preprocess.encode.encoder import Encoder
from dlutil_core.preprocess.encode.widths import Widths
from dlutil_core.preprocess.given_intervals import FRAME, are_intervals, interval_blocks
from dlutil_core.preprocess.given_records import TRAINED_TABLE, given_blocks
from dlutil_core.preprocess.kept_encoding import FEATURES, OWN, KeptEncoding
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.feature_columns import FeatureColumns
from dlutil_core.preprocess.read.forms import form_of
from dlutil_core.preprocess.read.sources import SourceReader
from dlutil_core.preprocess.read.text_files import check_readable
from dlutil_core.preprocess.section import Options, Source
from dlutil_core.preprocess.write.set_output import SetOutput

NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True)
class NewRecords:
    """Makes of files what a model's `get_pred_generator` reads.

    Attributes
    ----------
    encoding
        How its training data were encoded.
    genome
        The FASTA file that intervals are cut from; None: the one where the run had it is not there.
    paired
        The file of second sequences, for a model of pairs.
    """

    encoding: KeptEncoding
    genome: str | None = None
    paired: str | None = None

    def prepare(self, path: str, folder: Path) -> str:
        """The path of an HDF5 file of these records, written into `folder` unless `path` is one.

        Parameters
        ----------
        path
            FASTA, BED, a table (all plain or gzip), a `.npy` array or HDF5, known by the content.
            Where the training files were the user's own, `path` is given back.

        Raises
        ------
        UserError
            The records do not fit the model.
        """
        check_readable(path)
        if self.encoding.kind == OWN:
            return path
        with open(path, "rb") as file:
            start = file.read(8)
        if start.startswith(b"\x89HDF"):
            self._check_hdf5(path)
            return path
        out = folder / "records.h5"
        if start.startswith(NPY_MAGIC):
            self._write_array(path, out)
        else:
            self._encode(path, out)
        return str(out)

    def write(self, records: Any, out: Path) -> None:
        """Write an HDF5 file of texts or a data frame; see `given_blocks`, `interval_blocks`."""
        if not are_intervals(records, self.encoding):
            self._write(lambda reader: given_blocks(records, self.encoding), out)
            return
        if self.encoding.shape[1] == 2:
            raise UserError("the model takes pairs; give [firsts, seconds], two lists of texts")
        self._check_genome(FRAME, "holds intervals", "load(..., genome=...)")
        self._write(lambda reader: interval_blocks(records, reader), out)

    # HDF5 and arrays

    def _check_hdf5(self, path: str) -> None:
        import h5py

        try:
            file = h5py.File(path, "r")
        except OSError as error:
            raise UserError(f"{path}: not a readable HDF5 file ({error})") from None
        with file:
            data = file.get("data")
            if not isinstance(data, h5py.Dataset):
                return  # the loader says what it misses
            self._check_shape(path, data.shape[1:])
            letters = data.attrs.get("letters")
            if letters is not None and self.encoding.letters not in (None, letters):
                raise UserError(
                    f"{path}: its rows are the letters {letters}, but the model's are"
                    f" {self.encoding.letters}; encode the records for this model"
                )

    def _check_shape(self, path: str, shape: tuple[int, ...]) -> None:
        if tuple(shape) != tuple(self.encoding.shape):
            raise UserError(
                f"{path}: a record has shape {_by(shape)}, but the model takes"
                f" {_by(self.encoding.shape)}; give records of that shape"
            )

    def _write_array(self, path: str, out: Path) -> None:
        import h5py

        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: not a readable .npy file ({error})") from None
        if array.dtype.kind not in "buif":
            raise UserError(f"{path}: holds {array.dtype}, but the model takes numbers")
        if self.encoding.kind == FEATURES and array.ndim == 2:
            array = array[:, None, None, :]
        self._check_shape(path, array.shape[1:])
        if array.dtype.kind != "u" or array.dtype.itemsize > 1:
            array = np.asarray(array, np.float32)
        with h5py.File(out, "w") as file:
            file.create_dataset("data", data=array)

    # Raw files

    def _encode(self, path: str, out: Path) -> None:
        titles, count = list(self.encoding.features), self.encoding.shape[-1]

        def read(reader: SourceReader) -> Iterable[Block]:
            reader.features = FeatureColumns(titles, TRAINED_TABLE, count, needed=True)
            return reader.read(self._source(path), labelled=False)

        self._write(read, out, path)

    def _write(
        self,
        read: Callable[[SourceReader], Iterable[Block]],
        out: Path,
        path: str | None = None,
    ) -> None:
        """Encode the blocks that `read` gives into `out`."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dlutil-")))
            options = self._options(path, folder)
            alphabet = load(options.alphabet, options.ambiguous)
            widths = Widths(options.length, options.align, self.encoding.width, trained=True)
            encoder = Encoder(alphabet, widths, options.ambiguous)
            reader = stack.enter_context(SourceReader(options, 0))
            output = SetOutput(out, alphabet, "blosc")
            stack.callback(output.abort)
            for block in read(reader):
                fitted = encoder.fit(block, options.reverse_complement == "all")
                output.add(fitted, encoder.encode(fitted))
            output.finish(np.dtype(np.uint8), reader.labels)

    def _source(self, path: str) -> Source:
        if self.encoding.kind == FEATURES:
            return Source(features=path)
        pairs = self.encoding.shape[1] == 2
        in_table = bool((self.encoding.columns or {}).get("paired"))
        if pairs and not in_table and self.paired is None:
            raise UserError(
                f"{path}: the model takes pairs of sequences; give the file of the second ones, too"
                " (--paired)"
            )
        if self.paired is not None and (in_table or not pairs):
            raise UserError(f"{self.paired}: the model takes no second file of sequences")
        return Source(sequences=path, paired=self.paired)

    def _options(self, path: str | None, folder: Path) -> Options:
        mapping = None
        if self.encoding.mapping is not None:
            mapping = folder / self.encoding.alphabet
            mapping.write_text(self.encoding.mapping, encoding="utf-8")
        known = self.encoding.genome
        name = self.genome or (known or {}).get("name")
        options = self.encoding.encoding_options(name, None if mapping is None else str(mapping))
        if path is not None and self.encoding.kind != FEATURES and form_of(path, options) == "bed":
            self._check_genome(path, "looks like BED", "--genome")
        return options

    def _check_genome(self, where: str, what: str, option: str) -> None:
        """Intervals mean something in the genome alone that the model's were cut from."""
        known = self.encoding.genome
        if self.genome is None or not Path(self.genome).is_file():
            name = f", {known['name']}" if known else ""
            raise UserError(
                f"{where}: {what}, whose sequences are cut from a genome{name}; give its FASTA file"
                f" ({option})"
            )
        memory = HashMemory()
        found = memory.file(self.genome)
        memory.save()
        if known is not None and found != known["sha256"]:
            raise UserError(
                f"{self.genome}: is another genome than {known['name']}, from which the model's"
                f" training data were cut; give that file ({option})"
            )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "of a number"
