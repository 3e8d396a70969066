"""hyperband-snakemake on all cores: its own generator and Snakefile, a process for each training.

python snakemake_search.py DATA OUT BATCH_SIZE [MAX_EPOCHS]
"""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve()


def train(folder: str, config: str, budget: int, batch_size: int) -> None:
    """What its jobs run: a configuration from the first epoch to the budget."""
    from problem import SPACE, Data, Trial

    words = dict(line.split(": ") for line in Path(config).read_text().splitlines())
    values = {name: float(words[name]) for name in SPACE}
    values["hidden"] = int(values["hidden"])
    trial = Trial(values, int(words["seed"]), Data(folder), batch_size)
    while trial.epoch < budget:
        trial.train_epoch()
    Path(config).with_name("result").write_text(str(-trial.best))


def write_templates(folder: Path, data: str, batch_size: int) -> None:
    """What a user of the tool writes: how a configuration is drawn, and how one is trained."""
    from problem import SPACE

    folder.mkdir(parents=True)
    lines = [f"{name}: {{{{ {values} | random }}}}\n" for name, values in SPACE.items()]
    (folder / "config").write_text("".join(lines) + "seed: {{ range(1000000) | random }}\n")
    command = f'"{sys.executable}" "{HERE}" --train "{data}" "$1/config" "$2" {batch_size}'
    (folder / "run.sh").write_text(command + "\n")


def main(folder: str, out: str, batch_size: int, max_epochs: int | None = None) -> None:
    from problem import ETA, MAX_EPOCHS

    base = Path(out).resolve()
    write_templates(base / "templates", str(Path(folder).resolve()), batch_size)
    largest = round(math.log(max_epochs or MAX_EPOCHS, ETA))
    generate = ["-m", "hyperband_snakemake", "generate", str(largest), str(ETA)]
    generate += ["-o", "search", "--random-seed", "1", "--template-dir", "templates"]
    run = ["-m", "snakemake", "--snakefile", "search/Snakefile", "--cores", "all"]
    for arguments in (generate, run):
        subprocess.run([sys.executable, *arguments], cwd=base, check=True)


if __name__ == "__main__":
    if sys.argv[1] == "--train":
        train(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main(sys.argv[1], sys.argv[2], *(int(number) for number in sys.argv[3:]))
