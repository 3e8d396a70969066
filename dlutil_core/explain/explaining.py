"""Explains the best model of a run and writes what was found under `explain/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlutil_core.common import files
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.common.shown_text import shown_cell
from dlutil_core.explain import attribution, logos
from dlutil_core.explain.compare import Match, best_match
from dlutil_core.explain.filters import Filter, filters
from dlutil_core.explain.motif_files import read_motifs
from dlutil_core.explain.motifs import Motif, write_jaspar, write_meme
from dlutil_core.explain.target import Target, sequences
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.trained.load import restore_models

DRAWN_FILTERS = 12

CLEAR = 0.01
"""A logo's title names a known motif where the p-value is no larger."""

TABLE_CAPTION = (
    "Influence: by how much the explained number changes, in the mean of absolute values, when the "
    "filter is held at its mean response. Sites: where it responds with more than half of its "
    "highest response. Similarity: cosine of the two matrices, 1 for equal motifs; Pearson r over "
    "the aligned columns; p by permutation of the known motif's columns, not corrected for the "
    "number of motifs."
)


@dataclass(frozen=True)
class Options:
    """The section `explain` of the config.

    `data` says which loader gives the sequences: `test` or `valid`.
    """

    data: str = "test"
    motifs: str | None = None
    examples: int = 6
    sequences: int = 500
    output: int | None = None


def explain(
    loaded: LoadedRun, model_files: Sequence[Path], options: Options, out: Path
) -> dict[str, Any]:
    """Write attributions, motifs, their comparison, logos and `summary.json` into `out`.

    Of several models, which are members of one result, the mean output is attributed to letters;
    filters are those of the first one, since each has its own.

    Returns
    -------
    The content of `summary.json`.
    """
    known = read_motifs(Path(options.motifs)) if options.motifs else []
    model = restore_models(loaded, model_files)
    x = sequences(model, _loader(loaded, options.data))
    targets = Target(model, options.output).tasks(x)
    named: list[Target | None] = [*targets] if len(targets) > 1 else [None]
    first = Target(model.first, options.output).tasks(x) if len(model_files) > 1 else targets
    each = [filters(target, x) for target in first]
    found = each[0]  # of one network, so with the same sites
    matches = {f.number: best_match(f.motif, known) for f in found if known and f.motif.sites}
    rows = [
        _row(entry, matches.get(entry.number), task)
        for entries, task in zip(each, named, strict=True)
        for entry in entries
    ]
    out.mkdir(parents=True, exist_ok=True)
    shown = _explain_sequences(targets, x, options, out)
    _write_motifs(found, rows, matches, out)
    summary = {
        "text": _text(targets, len(x), found, known, len(model_files)),
        "table_caption": TABLE_CAPTION,
        "filters": rows,
        "pictures": _pictures(found, known, shown),
    }
    files.write_json(out / "summary.json", summary)
    return summary


def _loader(loaded: LoadedRun, data: str) -> Any:
    """The loader of the sequences, called under the run's seed."""
    spec = loaded.spec
    if data == "valid":
        train, valid = loaded.loaders
        return valid if valid is not None else train
    seed_everything(loader_seed(spec.seed))
    return loaded.definition.test_loader(spec.data_dir)


def _explain_sequences(targets: list[Target], x: torch.Tensor, options: Options, out: Path) -> int:
    """Write `attributions.npz` of the highest sequences and `examples.svg`; how many are drawn.

    Of several tasks each array's name begins with the task's, and the drawn sequences are shared
    out among them.
    """
    several = len(targets) > 1
    stored: dict[str, Any] = {}
    drawn: list[Drawn] = []
    for place, target in enumerate(targets):
        share = options.examples // len(targets) + (place < options.examples % len(targets))
        found, examples = _attributions(target, x, options, max(share, 1))
        stored |= {f"{target.name}.{k}": v for k, v in found.items()} if several else found
        drawn.append(examples)
    with files.atomic_path(out / "attributions.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **stored, allow_pickle=False)
    heights = {m: np.concatenate([d.heights[m] for d in drawn]) for m in drawn[0].heights}
    windows = [logos.window_of(h) for h in heights["integrated_gradients"]]
    titles = [title for d in drawn for title in d.titles]
    logos.draw_examples(titles, heights, windows, out / "examples.svg")
    return len(titles)


@dataclass(frozen=True)
class Drawn:
    """The highest sequences of a target: titles, and heights of letters `(N, 4, L)` by method."""

    titles: list[str]
    heights: dict[str, np.ndarray]


def _attributions(
    target: Target, x: torch.Tensor, options: Options, examples: int
) -> tuple[dict[str, Any], Drawn]:
    """What `attributions.npz` holds of a target, and what is drawn of it."""
    scores = target.scores(x)
    order = np.lexsort((np.arange(len(scores)), -scores))[: options.sequences]
    chosen = x[torch.from_numpy(order.copy()).to(x.device)]
    top = chosen[:examples]
    arrays = {
        "input_x_gradient": attribution.input_x_gradient(target, chosen),
        "integrated_gradients": attribution.integrated_gradients(target, chosen),
        "in_silico_mutagenesis": attribution.in_silico_mutagenesis(target, top),
    }
    one_hot = chosen[:, :, 0].cpu().numpy().astype(np.uint8)
    heights = {
        method: attribution.contributions(method, values[: len(top)], one_hot[: len(top)])
        for method, values in arrays.items()
    }
    task = f"{target.name}, " if target.name is not None else ""
    titles = [f"{task}record {r}\n({scores[r]:.3g})" for r in order[: len(top)]]
    stored = {"record": order, "score": scores[order], "one_hot": one_hot, **arrays}
    return stored, Drawn(titles, heights)


def _write_motifs(
    found: list[Filter],
    rows: list[dict[str, Any]],
    matches: dict[int, tuple[Match, float]],
    out: Path,
) -> None:
    motifs = [f.motif for f in found if f.motif.sites]
    write_meme(out / "filters.meme", motifs)
    write_jaspar(out / "filters.jaspar", motifs)
    columns = list(rows[0]) if rows else ["filter"]
    lines = [columns, *([files.format_field(row[c]) for c in columns] for row in rows)]
    files.write_text(out / "filters.tsv", "".join("\t".join(line) + "\n" for line in lines))
    drawn = [f for f in found if f.motif.sites][:DRAWN_FILTERS]
    titled = [(_oriented(f, matches), _title(f, matches)) for f in drawn]
    logos.draw_motifs(
        titled or [(Motif("none", np.zeros((1, 4))), "no filter")], out / "filters.svg"
    )


def _row(
    entry: Filter, match: tuple[Match, float] | None, task: Target | None = None
) -> dict[str, Any]:
    """A filter's row of the table; of several tasks there is one for each."""
    motif = entry.motif
    sites = motif.sites
    row: dict[str, Any] = {
        "filter": entry.number if task is None else f"{entry.number} for {task.name}",
        "influence": entry.influence,
        "sites": sites,
        "highest": entry.highest,
        "consensus": motif.consensus if sites else "",
        "bits": float(motif.information.sum()) if sites else None,
        "match": None,
        "strand": None,
        "offset": None,
        "similarity": None,
        "pearson": None,
        "p_value": None,
    }
    if match is not None:
        best, p_value = match
        row |= {
            "match": shown_cell(f"{best.target.name} {best.target.label}".strip()),
            "strand": best.strand,
            "offset": best.offset,
            "similarity": best.similarity,
            "pearson": best.pearson,
            "p_value": p_value,
        }
    return row


def _oriented(entry: Filter, matches: dict[int, tuple[Match, float]]) -> Motif:
    """The filter's motif on the strand on which it reads like its match."""
    match = matches.get(entry.number)
    turn = match is not None and match[1] <= CLEAR and match[0].strand == "-"
    return entry.motif.reverse_complement() if turn else entry.motif


def _title(entry: Filter, matches: dict[int, tuple[Match, float]]) -> str:
    title = f"filter {entry.number}, {entry.motif.sites} sites"
    match = matches.get(entry.number)
    if match is not None and match[1] <= CLEAR:
        best = match[0]
        turned = ", turned" if best.strand == "-" else ""
        title += f"\n{best.target.name} {best.target.label} (r = {best.pearson:.2f}{turned})"
    return title


def _text(
    targets: list[Target], count: int, found: list[Filter], known: list[Motif], members: int
) -> str:
    described = targets[0].described
    if len(targets) > 1:
        described = f"each of the tasks {', '.join(str(t.name) for t in targets)} by itself"
    text = (
        f"What is explained is {described}, on {count} sequences. Letters and filters that "
        "drive it are candidates for what the model has learnt, not proof of what the cell does."
    )
    if members > 1:
        text += (
            f" Letters are explained by the mean output of {members} members; filters are those of "
            "the best model."
        )
    if not found:
        text += " The network has no convolution over the four letters, so it has no filters here."
    elif not known:
        text += " Motifs of your own to compare the filters with go under explain.motifs."
    return text


def _pictures(found: list[Filter], known: list[Motif], examples: int) -> list[dict[str, str]]:
    pictures = [
        {
            "file": "examples.svg",
            "title": "Sequences",
            "alt": f"Logos of the contributions of letters in {examples} sequences",
            "caption": (
                f"The {examples} highest predicted sequences (their explained number in brackets), "
                "one row each, 40 letters where they contribute most. A letter's height is its "
                "contribution, in units of the explained number: by the gradient, by integrated "
                "gradients from equal letters, and by the mean loss when the letter is changed. "
                "Letters below the line lower the prediction."
            ),
        }
    ]
    if found:
        compared = "; titles name the most similar known motif where one is clear" if known else ""
        pictures.append(
            {
                "file": "filters.svg",
                "title": "Motifs of the most influential filters",
                "alt": "Sequence logos of the first filters",
                "caption": (
                    "The subsequences to which a filter responds most, laid on top of each other, "
                    f"the most influential filter first{compared}. The height of a column is its "
                    "information, 2 bits where there is one letter only; turned filters are shown "
                    "on the motif's strand."
                ),
            }
        )
    return pictures
