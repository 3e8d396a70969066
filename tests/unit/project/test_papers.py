"""What the hosting service and citing readers read: valid, and true of the repository."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
GITHUB = ROOT / ".github"
SCHEMAS = {
    "CITATION.cff": "vendor.citation-file-format",
    ".github/workflows/*.yml": "vendor.github-workflows",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/[!c]*.yml": "vendor.github-issue-forms",
}


def check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    return subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("pattern", SCHEMAS)
def test_files_are_what_their_readers_expect(pattern: str) -> None:
    files = sorted(ROOT.glob(pattern))
    assert files
    done = check(SCHEMAS[pattern], *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_file_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "ci.yml"
    wrong.write_text((GITHUB / "workflows" / "ci.yml").read_text().replace("runs-on", "runs_on"))
    assert check("vendor.github-workflows", wrong).returncode == 1


def test_one_version_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    code = (ROOT / "dlutil_core" / "common" / "version.py").read_text()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = re.findall(r"^## \[(\d\S*)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert f'__version__ = "{version}"' in code
    assert (citation["version"], citation["date-released"]) == (version, released[0][1])
    assert released[0][0] == version


def test_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, flags=re.MULTILINE))
    pages = [ROOT / "CONTRIBUTING.md", GITHUB / "PULL_REQUEST_TEMPLATE.md"]
    for path in [*pages, *GITHUB.glob("workflows/*.yml")]:
        named = set(re.findall(r"(?:`|^|run: )make ([a-z-]+)", path.read_text(), re.MULTILINE))
        assert named <= targets, path.name


def test_every_page_is_in_the_site() -> None:
    """mkdocs reports what its navigation lacks; a page outside `docs/` it would not know of."""
    listed = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    pages = {str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md")}
    pages |= {str(p.relative_to(ROOT)) for p in ROOT.glob("examples/**/README.md")}
    assert pages <= set(listed)
