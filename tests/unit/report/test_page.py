"""The report of real runs, and of a search of many hundred trials."""

from __future__ import annotations

import csv
import json
import platform
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support import DEFINITION, Project

from dlutil_core.common.errors import UserError
from dlutil_core.common.result_folder import REPORT_FILES
from dlutil_core.report.collect import collect
from dlutil_core.report.page import write_report
from dlutil_core.search import plan as plans
from dlutil_core.search.network_table import read_network

PICTURES = [name for name in REPORT_FILES if name.endswith(".svg")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.make(tmp_path_factory.mktemp("report") / "project")
    project.succeed()
    return project


class Checker(HTMLParser):
    """Every element that is opened is closed; identifiers are unique."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.identifiers: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.identifiers.append(str(given["id"]))
        self.links += [str(given[a]) for a in ("href", "src") if given.get(a)]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def checked(path: Path) -> str:
    """The page's text, after checking its form."""
    text = path.read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert len(set(checker.identifiers)) == len(checker.identifiers)
    outside = [link for link in checker.links if not link.startswith(("#", "data:"))]
    assert outside == ["logs/run.html"]
    for link in (x for x in checker.links if x.startswith("#")):
        assert link[1:] in checker.identifiers
    return text


def test_page_is_well_formed_and_tells_everything(finished: Project) -> None:
    text = checked(finished.result / "report.html")
    for head in ("What was asked", "The search", "The best model", "The test", "Provenance"):
        assert f"<h2>{head}</h2>" in text
    with (finished.result / "best" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = text.split('id="t-leaderboard"')[1].split("</table>")[0]
    assert table.count("<tr") == len(rows) + 1
    assert f"{float(rows[0]['score']):.6g}" in table
    for name in ("units", "lr", "dropout", "momentum"):
        assert f">{name}</button>" in table
    metrics = json.loads((finished.result / "test" / "metrics.json").read_text())
    assert f"{metrics['mse']:.5g}" in text


def test_page_holds_nothing_that_differs_between_machines(finished: Project) -> None:
    for name in REPORT_FILES:
        text = (finished.result / name).read_text()
        assert str(finished.folder) not in text and str(Path.home()) not in text.split()
        assert platform.node() not in text
        assert not re.search(r"20\d\d-\d\d-\d\d", text)


def test_run_page_tells_when_how_long_and_on_what(finished: Project) -> None:
    page = finished.result / "logs" / "run.html"
    text = page.read_text()
    assert platform.node() in text and re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", text)
    for step in ("plan", "bracket-2", "best", "test", "predict/new.npy", "report", "manifest"):
        row = text.split(f"<tr><td>{step}</td>")[1].split("</tr>")[0]
        assert re.search(r'class="n">\d+\.\d s<', row) and "<td>yes</td>" in row
    assert "torch" in text and (page.parent / "../report.html").resolve().is_file()
    manifest = (finished.result / "MANIFEST.sha256").read_text()
    assert "logs/" not in manifest


def test_title_is_the_page_s(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    project.configure(title="Peaks of <CTCF> & others")
    assert set(project.would_run()) == {"report", "manifest"}
    shutil.copytree(finished.result, tmp_path / "result")
    found = collect(tmp_path / "result", [], {}, title="Peaks of <CTCF> & others")
    write_report(found, tmp_path / "result")
    text = checked(tmp_path / "result" / "report.html")
    title = "Peaks of &lt;CTCF&gt; &amp; others"
    assert f"<title>{title}</title>" in text and f"<h1>{title}</h1>" in text


def test_equal_results_give_equal_bytes(finished: Project, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(finished.result, again)
    for name in REPORT_FILES:
        (again / name).unlink()
    write_report(collect(again, [], {}), again)
    for name in REPORT_FILES:
        assert (again / name).read_bytes() == (finished.result / name).read_bytes(), name


def test_report_needs_no_torch(finished: Project) -> None:
    code = "import sys; from pathlib import Path; "
    code += "from dlutil_core.report.collect import collect; "
    code += "from dlutil_core.report.page import write_report; "
    code += "write_report(collect(Path(sys.argv[1]), [], {}), Path(sys.argv[1])); "
    code += "assert not {'torch', 'sklearn', 'matplotlib', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, str(finished.result)], check=True)


def test_snakemake_report_is_complete(finished: Project) -> None:
    done = finished.run("--report", "snakemake.html")
    assert done.code == 0, done.output
    text = (finished.folder / "snakemake.html").read_text()
    names = [*PICTURES, "test/performance.svg", "test/errors.svg", "report.html"]
    for name in names:
        assert Path(name).name in text, name
    for words in ("Parallel coordinates", "parallel coordinates", "Best model", "was cut"):
        assert words.lower() in text.lower()


def test_weights_are_told_by_the_bracket_job(finished: Project) -> None:
    weights = read_network(finished.result / "best" / "network.csv")
    units = json.loads((finished.result / "best" / "config.json").read_text())["units"]
    assert sum(w.values for w in weights) == 4 * units + units + units + 1
    assert all(w.trained for w in weights)
    assert f"{sum(w.values for w in weights):,}" in (finished.result / "report.html").read_text()


def test_report_of_a_damaged_table_is_a_sentence(finished: Project, tmp_path: Path) -> None:
    shutil.copytree(finished.result, tmp_path / "result")
    (tmp_path / "result" / "best" / "network.csv").write_text("name,shape\na,3x\n")
    with pytest.raises(UserError, match=r"best/network\.csv: not a table of a network"):
        collect(tmp_path / "result", [], {})


def test_without_a_test_and_with_one_configuration(tmp_path: Path) -> None:
    chosen = {"units": 4, "lr": 0.1, "dropout": 0.0, "momentum": 0.0}
    search = {"method": "fixed", "max_epochs": 1, "config": chosen}
    project = Project.make(tmp_path / "project", search=search, evaluate=False, predict=[])
    project.succeed()
    text = checked(project.result / "report.html")
    assert "<h2>The test</h2>" not in text
    assert "Parallel coordinates" not in text and "Learning curves" in text


def test_edited_test_loader_redraws_the_report_alone(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    text = (project.folder / "def.py").read_text()
    old = "def for_test(table):\n    return table * 1.0"
    assert old in DEFINITION
    (project.folder / "def.py").write_text(text.replace(old, old.replace("1.0", "0.5")))
    assert set(project.would_run()) == {"evaluate", "plot", "report", "manifest"}


def large(folder: Path, source: Path, max_epochs: int) -> int:
    """Rewrite a result folder as if it came from a larger search; returns its trials."""
    made = plans.hyperband(max_epochs)
    document = json.loads((source / "search" / "plan.json").read_text())
    rows, number = [], 0
    document |= {"max_epochs": max_epochs, "brackets": [], "trials": []}
    shutil.copytree(source, folder)
    for bracket in made.brackets:
        trials = list(bracket.trials)
        rungs = [{"trials": r.trials, "epochs": r.budget} for r in bracket.rungs]
        document["brackets"].append({"bracket": bracket.number, "trials": trials, "rungs": rungs})
        history = ["trial,epoch,train_loss,val_loss,reward"]
        for place, trial in enumerate(trials):
            epochs = [r.budget for r in bracket.rungs if place < r.trials][-1]
            score = 0.0
            for epoch in range(1, epochs + 1):
                score = -(1 + trial % 7) / epoch**0.5
                history.append(f"{trial},{epoch},{-score},{-score},{score}")
            failed = trial % 20 == 3
            rows.append(
                [0, trial, bracket.number, epochs, "" if failed else score, epochs]
                + (["raised", f"ValueError: bad {trial % 3}"] if failed else ["ok", ""])
                + [
                    1.0,
                    1.0,
                    score,
                    2 ** (trial % 5),
                    10.0 ** -(trial % 4),
                    "relu" if trial % 2 else "elu",
                ]
            )
            number += 1
        out = folder / "search" / f"bracket-{bracket.number}"
        out.mkdir(exist_ok=True)
        (out / "history.csv").write_text("\n".join(history) + "\n")
    rows.sort(key=lambda row: (row[4] == "", -float(row[4] or 0), row[1]))
    head = "rank,trial,bracket,epochs,score,best_epoch,status,message,train_loss,val_loss,reward"
    lines = [f"{head},config.units,config.lr,config.activation"]
    lines += [",".join(map(str, [rank, *row[1:]])) for rank, row in enumerate(rows, start=1)]
    (folder / "best" / "leaderboard.csv").write_text("\n".join(lines) + "\n")
    (folder / "search" / "plan.json").write_text(json.dumps(document))
    return number


def test_hundreds_of_trials_stay_small(finished: Project, tmp_path: Path) -> None:
    trials = large(tmp_path / "large", finished.result, 243)
    assert trials > 300
    write_report(collect(tmp_path / "large", [], {}), tmp_path / "large")
    text = checked(tmp_path / "large" / "report.html")
    assert len(text) < 1_500_000
    table = text.split('id="t-leaderboard"')[1].split("</table>")[0]
    assert table.count('class="more"') == trials - 50
    assert f"Show all {trials} trials" in text
    failed = text.split('id="t-failed"')[1].split("</table>")[0]
    assert failed.count("<tr") == 4 and "ValueError: bad 1" in failed
    assert "the best 300 are drawn" in text
