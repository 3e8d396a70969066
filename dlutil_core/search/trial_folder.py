"""The folder of one trial: a memo of a pure function, checked on reading, written atomically.

    config.json   what the trial depends on (its key), its configuration and seed, its failure, and
                  a hash of these
    history.csv   one row per epoch
    at-{e}.pt     everything after epoch e, at the end of a rung
    last.pt       the same inside a rung, a few seconds old at most
    error.txt     the traceback of a trial that raised
    restored.txt  the key, where a checkpoint was seen to hold all of the model

`history.csv` decides; checkpoints let a trial go on, and carry its best weights.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.common.hashes import sha256_file, sha256_text
from dlutil_core.common.logs import log
from dlutil_core.common.reads import Read
from dlutil_core.common.run_lock import check_owner
from dlutil_core.search.plan import Trial

if TYPE_CHECKING:
    from dlutil_core.search.trial_reads import TrialReads

EpochRow = dict[str, float]
"""An epoch of a trial: `epoch`, `train_loss`, `train_…`, `val_loss`, `val_…`, `reward`."""

KEPT = ("reads", "history", "failure")
"""What `config.json` holds beside the trial and its key."""

AT_EPOCH = re.compile(r"at-(\d+)\.pt")


@dataclass
class Failure:
    """A trial that raised or ran out of memory: a result, not a fault of the run."""

    epoch: int
    status: str
    message: str
    traceback: str = ""


@dataclass
class Record:
    """What a trial's folder says, when it says it validly."""

    rows: list[EpochRow] = field(default_factory=list)
    failure: Failure | None = None


class TrialFolder:
    """The memo of one trial.

    Parameters
    ----------
    folder
        `search/trials/{j:05d}` of the result folder.
    key
        Hash of all that the trial depends on; a folder with another key is emptied.
    trial
        The trial: its number, seed and configuration go into `config.json` beside the key.
    reads
        What trials read; a folder whose trial read what has changed since is emptied, too.
    """

    def __init__(self, folder: Path, key: str, trial: Trial, reads: TrialReads) -> None:
        self.folder = folder
        self.key = key
        self.trial = trial
        self.reads = reads

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the trial alone; the kernel lets go when the process dies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            if error.errno in files.DISK_ERRORS:
                raise files.disk_error(self.folder / "lock", error) from error
            raise
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("trial %s: another process works on it, waiting", self.folder.name)
                fcntl.flock(handle, fcntl.LOCK_EX)
            for leftover in self.folder.glob(".*.tmp"):  # of a process that was killed
                leftover.unlink(missing_ok=True)
            for foreign in filter(Path.is_dir, self.folder.iterdir()):
                shutil.rmtree(foreign)
            yield
        finally:
            # Closing alone would not do: processes of a DataLoader hold the same lock.
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)

    def record(self) -> Record:
        """Read the folder without torch; anything invalid reads as absent."""
        found = self._config()
        if not self._is_ours(found):
            return Record()
        return Record(self._history(found), self._failure(found))

    def _is_ours(self, found: dict[str, Any] | None) -> TypeGuard[dict[str, Any]]:
        """Whether what the folder holds depends on what is there and wanted."""
        if found is None or found.get("key") != self.key:
            return False
        if "reads" not in found:
            return "history" not in found and "failure" not in found
        return self.reads.are_current(str(found["reads"]))

    def read_by_trial(self) -> tuple[Read, ...]:
        """What the trial read, with absolute paths."""
        found = self._config() or {}
        return self.reads.get(str(found.get("reads"))) or ()

    def prepare(self) -> None:
        """Make the folder ours: what another key left behind is removed."""
        if self._is_ours(self._config()):
            return
        check_owner()
        leftovers = [p for p in self.folder.iterdir() if p.name != "lock" and p.is_file()]
        if leftovers:
            log.info("trial %s: what it depends on has changed, starting anew", self.folder.name)
        for path in leftovers:
            path.unlink(missing_ok=True)
        self._write_config({})

    def checkpoint_epochs(self) -> list[int]:
        """Epochs of the stored rung-end checkpoints, descending."""
        names = (AT_EPOCH.fullmatch(p.name) for p in self.folder.glob("at-*.pt"))
        return sorted((int(m.group(1)) for m in names if m), reverse=True)

    def latest(self, budget: int) -> dict[str, Any] | None:
        """The valid checkpoint with the largest epoch of at most `budget`, if there is one."""
        best = self._read(self.folder / "last.pt")
        if best is not None and best["epoch"] > budget:
            best = None
        for epoch in self.checkpoint_epochs():
            if epoch > budget or (best is not None and epoch <= best["epoch"]):
                continue
            found = self._read(self.folder / f"at-{epoch}.pt")
            if found is not None and found["epoch"] == epoch:
                return found
        return best

    def at(self, epoch: int) -> dict[str, Any] | None:
        """The valid checkpoint of exactly this epoch, if there is one."""
        for name in (f"at-{epoch}.pt", "last.pt"):
            found = self._read(self.folder / name)
            if found is not None and found["epoch"] == epoch:
                return found
        return None

    def write(self, content: dict[str, Any], rung_end: bool) -> None:
        """Store everything after `content["epoch"]` epochs."""
        from dlutil_core.model.checkpoint import write_checkpoint

        name = f"at-{content['epoch']}.pt" if rung_end else "last.pt"
        marks = {"key": self.key, "reads": self._keep_reads(self._config() or {})}
        write_checkpoint(self.folder / name, {**content, **marks})
        self.write_history(content["history"])
        if rung_end:
            (self.folder / "last.pt").unlink(missing_ok=True)

    def write_history(self, rows: list[EpochRow]) -> None:
        """Write `history.csv` unless a longer valid one is there."""
        found = self._config() or {}
        if len(self._history(found)) >= len(rows):
            return
        path = self.folder / "history.csv"
        found["reads"] = self._keep_reads(found)
        files.write_csv(path, list(dict.fromkeys(k for row in rows for k in row)), rows)
        found["history"] = {"epochs": len(rows), "sha256": sha256_file(path)}
        self._write_config(found)

    def write_failure(self, failure: Failure) -> None:
        """Store how the trial failed: `error.txt` with the traceback."""
        found = self._config() or {}
        found["reads"] = self._keep_reads(found)
        files.write_text(self.folder / "error.txt", failure.traceback)
        found["failure"] = {
            "epoch": failure.epoch,
            "status": failure.status,
            "message": failure.message,
            "sha256": sha256_text(failure.traceback),
        }
        self._write_config(found)

    @property
    def was_restored(self) -> bool:
        """Whether a checkpoint was read again, and the model was the same."""
        with suppress(OSError, UnicodeDecodeError):
            return (self.folder / "restored.txt").read_text(encoding="utf-8") == self.key
        return False

    def note_restored(self) -> None:
        """Take note that it was."""
        files.write_text(self.folder / "restored.txt", self.key)

    def _keep_reads(self, found: dict[str, Any]) -> str:
        """Keep what the trial read, before anything is written that depends on it."""
        return self.reads.keep(str(found.get("reads", "")))

    def _read(self, path: Path) -> dict[str, Any] | None:
        if not path.is_file():
            return None
        from dlutil_core.model.checkpoint import DamagedCheckpoint, read_checkpoint

        try:
            content = read_checkpoint(path)
        except DamagedCheckpoint as error:
            log.warning("warning: %s; it is removed and these epochs are trained again", error)
            path.unlink(missing_ok=True)
            return None
        if content.get("key") != self.key or not self.reads.are_current(str(content.get("reads"))):
            log.warning("warning: %s belongs to another trial; it is removed", path)
            path.unlink(missing_ok=True)
            return None
        return content

    def _config(self) -> dict[str, Any] | None:
        try:
            found = files.read_json(self.folder / "config.json")
        except (UserError, OSError):
            return None
        if not isinstance(found, dict):
            return None
        return found if found.pop("sha256", None) == _sha256_of(found) else None

    def _write_config(self, extra: dict[str, Any]) -> None:
        kept: dict[str, Any] = {k: extra[k] for k in KEPT if k in extra}
        told = {"trial": self.trial.number, "seed": self.trial.seed, "config": self.trial.config}
        content = {"key": self.key, **told, **kept}
        marked = content | {"sha256": _sha256_of(content)}
        files.write_json(self.folder / "config.json", marked)

    def _history(self, found: dict[str, Any]) -> list[EpochRow]:
        path = self.folder / "history.csv"
        wanted = found.get("history")
        if not isinstance(wanted, dict) or not path.is_file():
            return []
        if sha256_file(path) != wanted.get("sha256"):
            log.warning("warning: %s does not match its checksum; it is not used", path)
            return []
        return [parse_row(row) for row in files.read_csv(path)]

    def _failure(self, found: dict[str, Any]) -> Failure | None:
        kept = found.get("failure")
        if not isinstance(kept, dict):
            return None
        with suppress(OSError, UnicodeDecodeError, KeyError):
            text = (self.folder / "error.txt").read_text(encoding="utf-8")
            if sha256_text(text) == kept["sha256"]:
                return Failure(kept["epoch"], kept["status"], kept["message"], text)
        return None


def _sha256_of(config: dict[str, Any]) -> str:
    """Stands in `config.json` itself: one whose message alone is damaged is none either."""
    return sha256_text(json.dumps(config, sort_keys=True))


def parse_row(fields: dict[str, str]) -> EpochRow:
    """A row of a history file: numbers; an empty field is NaN."""
    row: EpochRow = {k: float(v) if v else float("nan") for k, v in fields.items()}
    for name in ("epoch", "trial"):
        if name in row:
            row[name] = int(row[name])
    return row
