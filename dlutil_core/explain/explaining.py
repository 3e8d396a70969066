"""Explains the best model of a run and writes what was found under `explain/`."""

from __future__ import annotations

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
from dlutil_core.explain.motifs import Motif, read_motifs, write_jaspar, write_meme
from dlutil_core.explain.target import Target, sequences
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.trained.load import restore_model

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


def explain(loaded: LoadedRun, model_file: Path, options: Options, out: Path) -> dict[str, Any]:
    """Write attributions, motifs, their comparison, logos and `summary.json` into `out`.

    Returns
    -------
    The content of `summary.json`.
    """
    known = read_motifs(Path(options.motifs)) if options.motifs else []
    model = restore_model(loaded, model_file)
    target = Target(model, options.output)
    x = sequences(model, _loader(loaded, options.data))
    scores = target.scores(x)
    order = np.lexsort((np.arange(len(scores)), -scores))[: options.sequences]
    found = filters(target, x)
    matches = {f.number: best_match(f.motif, known) for f in found if known and f.motif.sites}
    rows = [_row(entry, matches.get(entry.number)) for entry in found]
    out.mkdir(parents=True, exist_ok=True)
    shown = _explain_sequences(target, x, scores, order, options, out)
    _write_motifs(found, rows, matches, out)
    summary = {
        "text": _text(loaded, target, len(x), found, known),
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


def _explain_sequences(
    target: Target,
    x: torch.Tensor,
    scores: np.ndarray,
    order: np.ndarray,
    options: Options,
    out: Path,
) -> int:
    """Write `attributions.npz` of the highest sequences and `examples.svg`; how many are drawn."""
    chosen = x[torch.from_numpy(order.copy()).to(x.device)]
    top = chosen[: options.examples]
    arrays = {
        "input_x_gradient": attribution.input_x_gradient(target, chosen),
        "integrated_gradients": attribution.integrated_gradients(target, chosen),
        "in_silico_mutagenesis": attribution.in_silico_mutagenesis(target, top),
    }
    one_hot = chosen[:, :, 0].cpu().numpy().astype(np.uint8)
    with files.atomic_path(out / "attributions.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, record=order, score=scores[order], one_hot=one_hot, **arrays, allow_pickle=False
        )
    heights = {
        method: attribution.contributions(method, values[: len(top)], one_hot[: len(top)])
        for method, values in arrays.items()
    }
    windows = [logos.window_of(h) for h in heights["integrated_gradients"]]
    titles = [f"record {r}\n({scores[r]:.3g})" for r in order[: len(top)]]
    logos.draw_examples(titles, heights, windows, out / "examples.svg")
    return len(top)


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


def _row(entry: Filter, match: tuple[Match, float] | None) -> dict[str, Any]:
    """A filter's row of the table."""
    motif = entry.motif
    sites = motif.sites
    row: dict[str, Any] = {
        "filter": entry.number,
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
    loaded: LoadedRun, target: Target, count: int, found: list[Filter], known: list[Motif]
) -> str:
    text = (
        f"What is explained is {target.described}, on {count} sequences. Letters and filters that "
        "drive it are candidates for what the model has learnt, not proof of what the cell does."
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
