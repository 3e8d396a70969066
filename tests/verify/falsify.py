"""Ways to falsify a result, and `dlutil verify` of what comes out."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support import REPOSITORY, Project

from dlutil_core.model.checkpoint import read_checkpoint, write_checkpoint
from dlutil_core.verify.segments import Segment, segments_of


def verify(
    project: Project, *arguments: str, result: str = "out"
) -> subprocess.CompletedProcess[str]:
    """`dlutil verify` in the folder of a project, whatever it ends with."""
    words = ["-c", "import sys; from dlutil_core.cli.commands import main; sys.exit(main())"]
    return subprocess.run(
        [sys.executable, *words, "verify", result, "--cores", "2", *arguments],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | project.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def marked(content: dict[str, Any]) -> dict[str, Any]:
    """JSON as dlutil writes it where it holds a hash of itself."""
    told = {name: value for name, value in content.items() if name != "sha256"}
    return told | {"sha256": hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}


class Falsified:
    """A copy of a finished project to falsify."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.result = project.result

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Change a text file; it must be another one then."""
        path = self.result / name
        text = path.read_text()
        assert change(text) != text
        path.write_text(change(text))

    def flip(self, name: str, place: float = 0.5) -> None:
        """Flip a bit at a place between 0 and 1."""
        data = bytearray((self.result / name).read_bytes())
        data[int(place * (len(data) - 1))] ^= 4
        (self.result / name).write_bytes(data)

    def truncate(self, name: str) -> None:
        """Leave half of a file."""
        data = (self.result / name).read_bytes()
        (self.result / name).write_bytes(data[: len(data) // 2])

    def checkpoint(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change what a checkpoint holds; its own checksum is right."""
        content = read_checkpoint(self.result / name)
        change(content)
        write_checkpoint(self.result / name, content)

    def certify(self) -> None:
        """Let the manifest and all identities tell the hashes of what is there now."""
        names = [
            line.split("  ")[1]
            for line in (self.result / "MANIFEST.sha256").read_text().splitlines()
        ]
        sums = {name: sha256(self.result / name) for name in names}
        lines = [f"{digest}  {name}\n" for name, digest in sums.items()]
        (self.result / "MANIFEST.sha256").write_text("".join(lines))
        for path in (self.result / "identity").rglob("*.json"):
            content = json.loads(path.read_text())
            for kind in ("inputs", "outputs"):
                content[kind] |= {n: sums[n] for n in content[kind] if n in sums}
            path.write_text(json.dumps(marked(content)))

    # Trials

    def trial(self, number: int) -> Path:
        return self.result / "search" / "trials" / f"{number:05d}"

    def trials_with(self, name: str) -> list[int]:
        """Trials whose memo holds a file of this name."""
        folder = self.result / "search" / "trials"
        return sorted(int(path.parent.name) for path in folder.glob(f"*/{name}"))

    def checkpoints(self, number: int) -> list[str]:
        """Names of a trial's checkpoints, in the order of epochs."""
        return sorted((p.name for p in self.trial(number).glob("at-*.pt")), key=_epoch)

    def survivor(self) -> int:
        """A trial with checkpoints after two rungs at least, and no failure."""
        for number in self.trials_with("config.json"):
            config = json.loads((self.trial(number) / "config.json").read_text())
            if len(self.checkpoints(number)) > 1 and "failure" not in config:
                return number
        raise AssertionError("no trial was promoted")

    def segments(self) -> list[Segment]:
        """All segments of the search, as its checkpoints and histories tell."""
        ends, stored = {}, {}
        for number in self.trials_with("config.json"):
            config = json.loads((self.trial(number) / "config.json").read_text())
            ends[number] = config["history"]["epochs"] + ("failure" in config)
            stored[number] = [_epoch(name) for name in self.checkpoints(number)]
        return segments_of(ends, stored)

    def raise_reward(self, number: int, epoch: int, reward: float) -> None:
        """Let the memo of a trial tell another reward of an epoch, in all that it holds."""
        folder = self.trial(number)
        with open(folder / "history.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        rows[epoch - 1]["reward"] = repr(reward)
        with open(folder / "history.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        config = json.loads((folder / "config.json").read_text())
        config["history"]["sha256"] = sha256(folder / "history.csv")
        (folder / "config.json").write_text(json.dumps(marked(config)))
        for path in folder.glob("at-*.pt"):
            name = str(path.relative_to(self.result))
            if int(path.stem[3:]) >= epoch:
                self.checkpoint(name, lambda c: c["history"][epoch - 1].update(reward=reward))


def _epoch(name: str) -> int:
    return int(name.removeprefix("at-").removesuffix(".pt"))
