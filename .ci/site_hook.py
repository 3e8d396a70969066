"""Lays out the documentation site (mkdocs.yml) from the repository's own Markdown.

The pages are copied as they are into a folder of the same shape, with every file that they link to,
so that the same relative links hold in the repository and on the site. Added are the Python
reference (from the docstrings of the documented names), the examples' files and results, and
diagrams, which are drawn here so that no script from elsewhere is needed.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import mmdr
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("examples/**/README.md")),
    *(ROOT / n for n in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md")),
    ROOT / "examples" / "RESULTS.md",
]
# The examples that `make site` runs; the published tasks take minutes, and have a page of results.
WITH_RESULTS = ("conv_seq_classifier", "function_regressor")
# Markdown's and HTML's links to files, without anchors.
LINK = re.compile(r"""(?:\]\(|src=")([^)#"\s]+)""")
MERMAID = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)
# What a def.py and a notebook use, module by module.
FACES = {
    "dlutil_core": ["load"],
    "dlutil_core.base_model": None,
    "dlutil_core.batch_generator": None,
    "dlutil_core.constraints": None,
}
STYLE = """\
.diagram { overflow-x: auto; background: #fff; padding: 0.4rem; border-radius: 0.2rem; }
.diagram svg { min-width: 36rem; max-width: 100%; height: auto; }
.md-typeset table:not([class]) { font-size: 0.7rem; }
.md-typeset table code { word-break: normal; overflow-wrap: normal; }
"""


def on_config(config: Any) -> Any:
    """Called by mkdocs before it reads the pages: writes them."""
    pages = Path(config["docs_dir"])
    shutil.rmtree(pages, ignore_errors=True)
    for page in PAGES:
        for path in [page, *_linked_files(page)]:
            _copy(path, pages)
    (pages / "site.css").write_text(STYLE)
    (pages / "reference.md").write_text(_reference())
    for example in sorted(ROOT.glob("examples/*/config.yaml")):
        page = pages / example.parent.relative_to(ROOT) / "README.md"
        if example.parent.name in WITH_RESULTS:
            _add_results(example, page)
        _add_files(example.parent, page)
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page's text: diagrams become pictures."""
    return MERMAID.sub(lambda found: _picture(found.group(1)), markdown)


def _picture(diagram: str) -> str:
    svg = re.sub(r"\s*\n\s*", " ", mmdr.render(diagram).svg())
    return f'\n<div class="diagram">{svg}</div>\n'


def _linked_files(page: Path) -> list[Path]:
    """What a page links to in the repository; other pages are there anyhow."""
    targets = (page.parent / name for name in LINK.findall(page.read_text()) if "://" not in name)
    return [path.resolve() for path in targets if path.is_file() and path.suffix != ".md"]


def _copy(path: Path, pages: Path) -> Path:
    copy = pages / path.relative_to(ROOT)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return copy


def _reference() -> str:
    """A page of mkdocstrings' directives, one for each documented name."""
    text = "# Python reference\n\nWhat a `def.py` and a notebook use.\n"
    for module, names in FACES.items():
        text += f"\n::: {module}\n"
        if names is not None:
            text += f"    options:\n      members: {json.dumps(names)}\n"
    return text


def _add_results(example: Path, page: Path) -> None:
    """Puts an example's metrics and its report below its page."""
    result = ROOT / yaml.safe_load(example.read_text())["result"]
    report, metrics = result / "report.html", result / "test" / "metrics.json"
    if not (report.is_file() and metrics.is_file()):
        raise SystemExit(f"error: {report} is not there; `make site` makes the examples' results")
    shutil.copyfile(report, page.parent / "report.html")
    numbers = json.loads(metrics.read_text())
    rows = [f"| {k} | {v:.4g} |" for k, v in numbers.items() if isinstance(v, float | int)]
    with page.open("a") as file:
        file.write("\n## What came out\n\n[The report of this run](report.html)\n\n")
        file.write("\n".join(["| test | value |", "| --- | --- |", *rows]) + "\n")


def _add_files(example: Path, page: Path) -> None:
    """Puts an example's config and definition below its page."""
    with page.open("a") as file:
        for name, language in (("config.yaml", "yaml"), ("def.py", "python")):
            content = (example / name).read_text()
            file.write(f"\n## {name}\n\n```{language}\n{content.rstrip()}\n```\n")
