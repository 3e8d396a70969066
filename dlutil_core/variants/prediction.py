"""Predictions of pairs of windows: each chunk is a set to predict like any other."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.preprocess.encode.alphabet import PAD, Alphabet, load
from dlutil_core.preprocess.encode.encoder import Encoder
from dlutil_core.preprocess.encode.widths import Widths
from dlutil_core.preprocess.kept_encoding import SEQUENCES, KeptEncoding
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.labels import LabelColumns
from dlutil_core.preprocess.write.set_output import SetOutput
from dlutil_core.trained.ensemble import Ensemble, mean_of, sd_of
from dlutil_core.trained.prediction_table import PredictionTable, are_classes, are_labels, as_array

LEAST = np.float32(2**-24)
"""What a probability is at least, and 1 minus it at least, for its logit: single precision ends."""


@dataclass(frozen=True)
class Effects:
    """What was predicted of alleles.

    Attributes
    ----------
    reference, alternative, difference, logit_difference
        float32, shape (n, K); the last one is NaN where predictions are no probabilities.
    sd
        Standard deviations of the difference over members, alike; `None`: of one model.
    """

    reference: np.ndarray
    alternative: np.ndarray
    difference: np.ndarray
    logit_difference: np.ndarray
    sd: np.ndarray | None


class PairPrediction:
    """Encodes pairs of sequences as the training data were, and predicts them.

    Parameters
    ----------
    loaded
        The run, with its definition.
    model
        The model, or an ensemble of members.
    encoding
        How its training data were encoded.
    told
        What the sequences are of, for messages.
    """

    def __init__(self, loaded: LoadedRun, model: Any, encoding: KeptEncoding, told: str) -> None:
        self.definition, self.seed = loaded.definition, loaded.spec.seed
        self.model = model
        self.encoding = encoding
        self.told = told
        self.alphabet = alphabet_of(encoding)
        width = width_of(encoding)
        self._encoder = Encoder(
            self.alphabet,
            Widths("strict", "left", width, trained=True),
            (encoding.options or {})["ambiguous"],
        )
        self.has_spread = isinstance(model, Ensemble)
        self.classes = are_classes(model, encoding)
        self.probable = self.classes or are_labels(model)
        # Of nothing but padding: how many outputs there are, and what they are called.
        blank = PAD * width
        self.titles, _ = self._predicted([b"reference", b"alternative"], [blank, blank], None)

    def effects(self, names: list[bytes], pairs: list[tuple[bytes, bytes]]) -> Effects:
        """Predictions of pairs of sequences, shape (n, K) each; of none none."""
        if not pairs:
            none = np.empty((0, len(self.titles)), np.float32)
            return Effects(none, none, none, none, none if self.has_spread else None)
        sequences = [sequence for pair in pairs for sequence in pair]
        called = [name + kind for name in names for kind in (b" reference", b" alternative")]
        _, each = self._predicted(called, sequences, len(sequences))
        mean = mean_of(each) if len(each) > 1 else each[0]
        reference, alternative = mean[0::2], mean[1::2]
        apart = [(rows[1::2] - rows[0::2]).astype(np.float32) for rows in each]
        return Effects(
            reference,
            alternative,
            (alternative - reference).astype(np.float32),
            self._logits(alternative, reference),
            sd_of(apart) if self.has_spread else None,
        )

    def _logits(self, alternative: np.ndarray, reference: np.ndarray) -> np.ndarray:
        if not self.probable:
            return np.full(alternative.shape, np.nan, np.float32)
        return (_logit(alternative) - _logit(reference)).astype(np.float32)

    def _predicted(
        self, names: list[bytes], sequences: list[bytes], count: int | None
    ) -> tuple[list[str], list[np.ndarray]]:
        """Titles of the outputs, and the predictions of each member, shape (n, K)."""
        with tempfile.TemporaryDirectory(prefix="dlutil-variants-") as folder:
            path = str(Path(folder, "records.h5"))
            self._write(Path(path), names, sequences)
            seed_everything(loader_seed(self.seed))
            try:
                loader = self.definition.prediction_loader(path)
                each = self._of_members(path, loader)
            except UserError as error:  # of a file in a folder that nobody knows
                raise UserError(str(error).replace(path, self.told)) from error
            tables = [self._table(path, found) for found in each]
        rows = [table.values() for table in tables]
        if len(rows[0]) != len(sequences):
            raise UserError(
                f"{self.told}: {len(sequences)} sequences are to be predicted, but"
                f" get_pred_generator gave {len(rows[0])}; it must give every record of its file,"
                " in order"
            )
        return tables[0].titles(), rows

    def _of_members(self, path: str, loader: Any) -> list[np.ndarray]:
        what = f"prediction of {path}"
        if isinstance(self.model, Ensemble):
            found = self.definition.call(what, self.model.predict_each, loader)
        else:
            found = [self.definition.call(what, self.model.predict, loader)]
        return [as_array(one) for one in found]

    def _table(self, path: str, found: np.ndarray) -> PredictionTable:
        return PredictionTable(path, found, self.encoding, self.classes, are_labels(self.model))

    def _write(self, path: Path, names: list[bytes], sequences: list[bytes]) -> None:
        """The set that the loader reads, as preprocessing writes one."""
        block = Block(self.told, 1, names, sequences)
        output = SetOutput(path, self.alphabet, "blosc")
        try:
            output.add(block, self._encoder.encode(block))
            output.finish(np.dtype(np.uint8), LabelColumns())
        finally:
            output.abort()


def alphabet_of(encoding: KeptEncoding) -> Alphabet:
    """The alphabet of a model of sequences; a mapping file is kept with it as a text."""
    ambiguous = (encoding.options or {})["ambiguous"]
    if encoding.mapping is None:
        return load(encoding.alphabet, ambiguous)
    with tempfile.TemporaryDirectory(prefix="dlutil-variants-") as folder:
        path = Path(folder, encoding.alphabet)
        path.write_text(encoding.mapping, encoding="utf-8")
        return load(str(path), ambiguous)


def width_of(encoding: KeptEncoding) -> int:
    """The width of a model of single sequences of nucleic acids; another one is refused."""
    if encoding.kind != SEQUENCES or not encoding.width:
        raise UserError(
            "variants: the model's training data were no sequences that preprocess encoded, so no"
            " windows of a genome can be encoded alike; leave variants out"
        )
    if encoding.shape[1] != 1:
        raise UserError("variants: the model takes pairs of sequences; leave variants out")
    if encoding.alphabet == "protein":
        raise UserError("variants: the model takes proteins, no DNA; leave variants out")
    return encoding.width


def _logit(probabilities: np.ndarray) -> np.ndarray:
    inside = np.clip(probabilities.astype(np.float64), LEAST, 1 - np.float64(LEAST))
    return np.asarray(np.log(inside) - np.log1p(-inside))
