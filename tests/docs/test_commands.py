"""Every command of the documentation runs, as it is written, in the order in which it is written.

A fenced block after `<!-- file: NAME -->` is written to that file; `bash` blocks are run in a
folder of the page's own, in which `path/to/dlutil` is the repository. The pages of the examples
alone stand in the repository: they find its folders. `<!-- not run: REASON -->` leaves a block out.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", *ROOT.glob("examples/*/README.md")])
BLOCK = re.compile(r"(?:<!-- (file|not run): ([^\n]*?) -->\n)?```(\w*)\n(.*?)```", re.DOTALL)


SHARED = ("workflow", "scripts", "dlutil_core", "config", "main.py")


def prepare(page: Path, folder: Path) -> None:
    """The repository as a reader has it, and the raw files that the README speaks of."""
    if page.is_relative_to(ROOT / "examples"):
        for name in SHARED:
            (folder / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "examples", folder / "examples")
        return
    (folder / "path" / "to").mkdir(parents=True)
    (folder / "path" / "to" / "dlutil").symlink_to(ROOT)
    draw = random.Random(1)
    for name, records in (("train", 60), ("valid", 20), ("test", 20)):
        letters = ["".join(draw.choices("ACGT", k=40)) for _ in range(records)]
        fasta = [f">{name}{k}\n{text}\n" for k, text in enumerate(letters)]
        (folder / f"{name}.fa").write_text("".join(fasta))
        (folder / f"{name}.target").write_text("".join(f"{k % 2}\n" for k in range(records)))


def blocks(page: Path) -> list[tuple[str, str, str, str]]:
    """`(mark, its text, language, content)` of each fenced block."""
    return BLOCK.findall(page.read_text())


def runnable(page: Path) -> bool:
    return any(mark != "not run" and language == "bash" for mark, _, language, _ in blocks(page))


@pytest.mark.parametrize(
    "page", [p for p in PAGES if runnable(p)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_commands_of(page: Path, tmp_path: Path) -> None:
    prepare(page, tmp_path)
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for mark, text, language, content in blocks(page):
        if mark == "file":
            (tmp_path / text).write_text(content)
        elif mark != "not run" and language == "bash":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", content],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{content}\n{done.stdout}\n{done.stderr}"


def test_every_page_stands_beside_the_checkout() -> None:
    """Also where a block is not run: `snakemake` is told where the workflow is, or deployed it."""
    for page in PAGES:
        if page.is_relative_to(ROOT / "examples") or page.name == "deploying.md":
            continue
        for _, _, language, content in blocks(page):
            for line in content.replace("\\\n", " ").splitlines() if language == "bash" else ():
                inside = re.search(
                    r"(?<!path/to/dlutil/)\b(workflow/|scripts/|examples/|main\.py)", line
                )
                assert "$(dlutil workflow)" in line or not inside, f"{page.name}: {line}"
                assert not line.startswith("snakemake") or "--snakefile" in line, line


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
