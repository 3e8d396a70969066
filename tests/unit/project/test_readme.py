"""The README's picture of the workflow is the workflow."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_rule_graph() -> None:
    command = ["-m", "snakemake", "--rulegraph", "mermaid-js", "--forceall", "--cores", "1"]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", done.stdout))
    real = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", done.stdout)}
    chart = re.search(r"```mermaid\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert chart is not None
    shown = set()
    for line in chart[1].splitlines()[1:]:
        nodes = [node.strip() for node in line.split("-->")]
        shown |= set(pairwise(nodes))
    assert shown <= real
    assert {n for edge in shown for n in edge} == set(names.values()) - {"all"}
