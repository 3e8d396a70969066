"""report.html: one file that tells what was asked, searched, found and tested.

It opens without a network, holds nothing that differs between two equal runs, and is small even for
large searches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.common import result_folder as paths
from dlutil_core.common.files import write_text
from dlutil_core.common.shown_text import shown
from dlutil_core.report import performance, search_figures, tables
from dlutil_core.report.best_figures import history_figures
from dlutil_core.report.chart import save
from dlutil_core.report.collect import Results
from dlutil_core.report.explained import explained_section
from dlutil_core.report.importance import importance
from dlutil_core.report.stability import stability
from dlutil_core.report.style import CHART_CSS, DARK, LIGHT
from dlutil_core.search.plan import FIXED, HYPERBAND, STAGED

TEMPLATE = Path(__file__).parent / "template"

KINDS = {HYPERBAND: "hyperband search", STAGED: "staged search", FIXED: "run of one configuration"}

HYPERPARAMETER_NOTE = (
    "One point for each trial: the value of the hyperparameter and the trial's best reward. The "
    "stronger its colour, the longer it was trained; trials that were cut early lie low for that "
    "reason alone, so compare within one colour. Orange is the best of all; a triangle is outside "
    "the axis."
)
HISTORY_NOTE = (
    "Training values are means over the batches of an epoch, while the weights change and dropout "
    "is on; validation values are computed at the epoch's end. The dotted line is the epoch whose "
    "weights were kept. Training that goes on to fall while validation rises is overfitting."
)


def write_report(results: Results, out: Path) -> None:
    """Write `report.html`, and the search's pictures as files of their own.

    Parameters
    ----------
    out
        The result folder: `report.html`, `search/*.svg` and `best/history.svg` are written, and
        `members/learning_curves.svg` where there are members.
    """
    parallel = search_figures.parallel_coordinates(results)
    curves = search_figures.learning_curves(results)
    hyperparameters = search_figures.hyperparameter_figures(results)
    history = history_figures(results)
    save([f.chart for f in curves], out / paths.LEARNING_CURVES)
    shown = [f.chart for f in hyperparameters] or [curves[0].chart]
    save(shown, out / paths.HYPERPARAMETERS)
    chart = parallel.chart if parallel is not None else curves[0].chart
    save([chart], out / paths.PARALLEL_COORDINATES)
    save([f.chart for f in history], out / paths.BEST_HISTORY_PICTURE)
    members = stability(results)
    if members is not None:
        save([f.chart for f in members["curves"]], out / paths.MEMBER_CURVES)
    pictures = {
        "curves": curves,
        "hyperparameters": hyperparameters,
        "parallel": parallel,
        "history": history,
        "stability": members,
    }
    write_text(out / paths.REPORT, render(results, pictures))


def _finalized(value: Any) -> Any:
    """What a user wrote, without control characters; what is markup already stays."""
    return shown(value) if type(value) is str else value


def render(results: Results, pictures: dict[str, Any]) -> str:
    """The page as text."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=False,
        lstrip_blocks=False,
        finalize=_finalized,
    )
    template = environment.from_string((TEMPLATE / "report.html.j2").read_text(encoding="utf-8"))
    dark = f"@media (prefers-color-scheme:dark){{:root{{{DARK}}}}}"
    screen = f"@media print{{:root{{{LIGHT}}}}}"
    css = (TEMPLATE / "report.css").read_text(encoding="utf-8")
    content = {
        **pictures,
        **_text(results),
        **_tables(results),
        **_test(results),
        "explained": explained_section(results),
        "sections": _sections(results),
        "css": f":root{{{LIGHT}}}{dark}{screen}{CHART_CSS}{css}",
        "js": (TEMPLATE / "report.js").read_text(encoding="utf-8"),
        "title": results.title or "Search, test and model",
        "run_page": paths.RUN_PAGE,
        "first": tables.SHOWN_AT_FIRST,
        "version": results.provenance["dlutil"],
        "hyperparameter_note": HYPERPARAMETER_NOTE,
        "history_note": HISTORY_NOTE,
    }
    return template.render(content)


def _sections(results: Results) -> list[tuple[str, str]]:
    found = [("asked", "What was asked"), ("search", "The search"), ("best", "The best model")]
    if results.test is not None:
        found.append(("test", "The test"))
    if results.members is not None:
        found.append(("stability", "Stability"))
    if results.explained is not None:
        found.append(("explained", "What the model saw"))
    return [*found, ("provenance", "Provenance")]


def _text(results: Results) -> dict[str, Any]:
    best, plan = results.best, results.plan
    count = len(results.trials)
    trained = sum(w.values for w in results.weights if w.trained)
    kept = sum(w.values for w in results.weights if not w.trained)
    failed = sum(t.failed for t in results.trials)
    kind = KINDS[plan.method]
    headline = (
        f"A {kind} over {count} trial{'s' if count > 1 else ''} of up to {plan.max_epochs} "
        f"epochs; trial {best.trial} of {plan.kind} {best.bracket} did best, in its epoch "
        f"{best.best_epoch}."
    )
    facts = [
        ("best reward", tables.shown(best.score), f"trial {best.trial}, epoch {best.best_epoch}"),
        ("trials", str(count), f"{failed} failed"),
        ("parameters", f"{trained:,}".replace(",", "\u202f"), "of the best model"),
    ]
    if results.test is not None:
        known = results.test.intervals["metrics"]
        for name, value in list(results.test.metrics.items())[:4]:
            found = known.get(name)
            interval = tables._interval(found, value)
            note = f"{interval} (95 %)" if interval else ""
            facts.append((f"test {name}", tables.shown(value, 4), note))
    size = f"{trained:,} trained numbers in {len(results.weights)} tensors".replace(",", "\u202f")
    return {
        "headline": headline,
        "facts": facts,
        "best_text": (
            f"Trial {best.trial}: reward {tables.shown(best.score, 6)} on the validation set in "
            f"epoch {best.best_epoch} of {best.budget}. Its configuration:"
        ),
        "size_text": size + (f", and {kept} numbers of running statistics." if kept else "."),
    }


def _tables(results: Results) -> dict[str, Any]:
    config = results.provenance["config"]
    train = {k: v for k, v in results.provenance.items() if k not in ("config", "data_sha256")}
    files = dict(results.provenance["data_sha256"])
    provenance = [
        tables.pairs_table("The search.", train),
        tables.pairs_table("SHA-256 of the training and validation data.", files),
    ]
    if results.test is not None:
        test = {k: v for k, v in results.test.provenance.items() if k != "data_sha256"}
        files = dict(results.test.provenance["data_sha256"])
        provenance += [
            tables.pairs_table("The test.", test),
            tables.pairs_table("SHA-256 of the test data.", files),
        ]
    preprocess = results.preprocess
    return {
        "config": tables.pairs_table("What can change a result, without paths.", config),
        "data": tables.data_table(results),
        "preprocess": tables.pairs_table("Preprocessing, without paths.", preprocess)
        if preprocess
        else None,
        "plan": tables.plan_table(results),
        "leaderboard": tables.leaderboard(results),
        "importance": importance(results),
        "failed": tables.failed_trials(results),
        "best_config": tables.config_table(results),
        "weights": tables.weights_table(results),
        "metrics": tables.metrics_table(results),
        "baseline": tables.baseline_table(results),
        "baseline_text": results.baseline.text if results.baseline is not None else "",
        "columns": tables.columns_table(results),
        "provenance": provenance,
    }


def _test(results: Results) -> dict[str, Any]:
    if results.test is None:
        return {}
    return {
        "performance": performance.performance(results.test.task),
        "errors": performance.errors(results.test.task),
    }
