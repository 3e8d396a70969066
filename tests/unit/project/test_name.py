"""The distribution has a name of its own: `dlutil` on PyPI is somebody else's."""

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
# Folders of what is made, and this file, which writes down what nobody may write.
APART = {".git", ".venv", ".snakemake", ".pytest_cache", ".ruff_cache", ".mypy_cache", "build"}
APART |= {"results", "dist", "site", "__pycache__"}
INSTALL = r"\b(?:install|add|upgrade|pipx run|uvx|download|wheel)\b[^`\n:]*"
# The bare name as a package: no path (path/to/dlutil), no longer name, no command after it.
STRANGER = re.compile(
    rf"{INSTALL}[\s'\"]dlutil(?=$|[\s'\"`),.;\[=<>~!])(?!\s+(?:run|predict|export|workflow)\b)"
    r"|(?<![\w/.-])dlutil(?:\[\w|[=<>~!]=\s*\d|@)"
    r"|pypi\.org/\w+/dlutil(?![\w-])",
    flags=re.MULTILINE,
)


def texts() -> list[Path]:
    """Every file that a reader or an installer may take a command from."""
    suffixes = {".md", ".py", ".toml", ".yml", ".yaml", ".txt", ".cff", ".smk", ".rst", ".j2", ""}
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(set(below) - APART)
        found += [Path(folder, n) for n in sorted(names) if Path(n).suffix in suffixes]
    return [path for path in found if path != Path(__file__).resolve() and path.is_file()]


def test_the_name_is_our_own() -> None:
    assert NAME == "dlutil-workflow"


def test_nothing_tells_to_install_the_other_dlutil() -> None:
    told = [
        f"{path.relative_to(ROOT)}: {found.group(0)}"
        for path in texts()
        for found in STRANGER.finditer(path.read_text(errors="replace"))
    ]
    assert not told


@pytest.mark.parametrize(
    "text",
    [
        "pip install dlutil",
        "`pip install 'dlutil[onnx]'`",
        "uv add dlutil",
        "pip install -U dlutil snakemake",
        "dlutil==0.2.0",
        "dlutil>=0.2",
        "conda install -c bioconda dlutil",
        "https://pypi.org/project/dlutil",
    ],
)
def test_such_a_text_would_be_found(text: str) -> None:
    assert STRANGER.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install dlutil-workflow",
        "pip install 'dlutil-workflow[onnx]'",
        "pip install path/to/dlutil",
        "pip install '.[onnx]'",
        "dlutil run config.yaml",
        "an installed dlutil_core",
    ],
)
def test_others_would_not(text: str) -> None:
    assert not STRANGER.search(text)
