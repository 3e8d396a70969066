"""Each benchmark runs to its end with all its peers, and what it says gets into the results.

Needs the extra `bench` (`make test-bench` installs it). What the figures are is not asserted: they
are the machine's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEERS = {
    "train": ["fit with MotifScan", "Lightning", "skorch", "DataLoader, 2 workers"],
    "search": ["bare process", "Optuna"],
    "checkpoints": ["by hand", "fit", "bracket jobs"],
    "stream": ["in memory", "streamed"],
    "preprocess": ["dictionary", "dnaio, seqpro", "copy"],
    "variants": ["by hand", "dlutil tenth"],
    "quality": ["staged, model", "hyperband", "random search", "Optuna, TPE"],
}
GOALS = {
    "train": "fit, of the bare loop",
    "search": "dlutil, times the bare process",
    "checkpoints": "training by bracket jobs, times by hand",
    "stream": "streamed, of the speed in memory",
    "preprocess": "dlutil's speed, times dictionary",
    "variants": "dlutil's peak memory, MiB",
    "quality": "staged's reward above that of Optuna, TPE, mean, interval above",
}


@pytest.mark.parametrize("name", PEERS)
def test_a_quick_run_of_everyone(name: str, tmp_path: Path) -> None:
    results = tmp_path / "results.md"
    command = [sys.executable, "benchmarks/all.py", name, "--quick", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "missing" not in done.stdout
    assert "left out" not in done.stdout
    text = results.read_text()
    for peer in PEERS[name]:
        assert f"\n{peer} " in text, f"no {peer} in\n{text}"
    table = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    assert any(GOALS[name] in line for line in table), text


def search_by(script: str, folder: Path, *numbers: str) -> str:
    """What a peer's script prints that searches on the benchmarks' data, in batches of 100."""
    make_data = ROOT / "examples" / "function_regressor" / "make_data.py"
    subprocess.run([sys.executable, make_data, folder / "data"], check=True)
    peer = ROOT / "benchmarks" / "peers" / script
    command = [sys.executable, peer, "data", "out", "100", *numbers]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


# What quick runs leave out, since it takes long.


def test_ray_tune_searches(tmp_path: Path) -> None:
    assert "best reward" in search_by("ray_search.py", tmp_path)


def test_ray_tunes_hyperband_spends_the_epochs_that_it_may(tmp_path: Path) -> None:
    said = search_by("ray_quality.py", tmp_path, "2", "9", "17", "69")
    found = json.loads(said.splitlines()[-1])
    assert [epochs for _, epochs in found] == [69, 69]
    assert all(-100 < reward < 0 for reward, _ in found)


def test_hyperband_snakemake_picks_a_configuration(tmp_path: Path) -> None:
    search_by("snakemake_search.py", tmp_path, "3")
    picked = (tmp_path / "out" / "search" / "config").read_text()
    assert picked.startswith("learning_rate: 0.0")
