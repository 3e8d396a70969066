"""Texts and data frames for a loaded model: the way that the same records take as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.result_folder import BEST_ENCODING
from dlutil_core.common.seeds import kept_random_state, loader_seed, seed_everything
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.preprocess.kept_encoding import KeptEncoding
from dlutil_core.preprocess.new_records import NewRecords
from dlutil_core.trained.run_note import noted_genome

GIVEN = "the records"


class KeptRawInputs:
    """Encodes as the training data of a result folder were, and asks its `get_pred_generator`.

    Parameters
    ----------
    run
        The run of the folder, with its definition.
    result
        The result folder, which is read now: a later run may put another model there.
    genome
        The FASTA file that intervals are cut from; None: the one that the run used.
    """

    def __init__(self, run: LoadedRun, result: Path, genome: str | None = None) -> None:
        self._run = run
        self._genome = genome or noted_genome(result)
        self._encoding: KeptEncoding | UserError
        try:
            self._encoding = KeptEncoding.read(result / BEST_ENCODING)
        except UserError as error:  # arrays and loaders do without
            self._encoding = error

    def __deepcopy__(self, memo: Any) -> KeptRawInputs:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """A model that is pickled goes without: the executed definition stays in its process."""
        return _nothing, ()

    @contextmanager
    def loader(self, records: Any) -> Iterator[Any]:
        """The loader of these texts or of this data frame, which lives meanwhile.

        Raises
        ------
        UserError
            The records do not fit the model.
        """
        if isinstance(self._encoding, UserError):
            raise self._encoding
        with tempfile.TemporaryDirectory(prefix="dlutil-predict-") as folder:
            path = Path(folder, "records.h5")
            NewRecords(self._encoding, self._genome).write(records, path)
            try:
                with kept_random_state():
                    seed_everything(loader_seed(self._run.spec.seed))
                    loader = self._run.definition.prediction_loader(str(path))
                yield loader
            except UserError as error:  # of a file in a folder that nobody knows
                raise UserError(str(error).replace(str(path), GIVEN)) from error


def _nothing() -> None:
    return None
