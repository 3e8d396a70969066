"""What a trained model predicts of each allele of a VCF file, and of the reference in its place."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from dlutil_core.common.files import atomic_path
from dlutil_core.common.logs import log, tell
from dlutil_core.common.result_folder import BEST_ENCODING
from dlutil_core.common.shown_text import shown_cell
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.preprocess.kept_encoding import KeptEncoding
from dlutil_core.preprocess.read.genome import Genome
from dlutil_core.trained.load import best_folder, restore_models
from dlutil_core.trained.prediction_table import shown_numbers
from dlutil_core.variants.annotated import STATUS_TITLE, AnnotatedVcf
from dlutil_core.variants.prediction import Effects, PairPrediction, width_of
from dlutil_core.variants.vcf import Record, VariantFile
from dlutil_core.variants.windows import REF_MISMATCH, AlleleWindows, Pair

PLACE = ("chrom", "pos", "id", "ref", "alt")
CHUNK_BYTES = 2**26
"""Of the windows of a chunk, at four bytes a number: what the network gets of each letter."""

LINE_BYTES = 2**25
"""Of the lines of a chunk."""

MOST_ALLELES = 4096
FEWEST_ALLELES = 16
NAMED = 20
"""Letters of an allele in the name of its records."""


def predict_variants(
    loaded: LoadedRun, model_files: Sequence[Path], vcf: str, genome: str, out: Path
) -> None:
    """Write a row for each alternative allele to `out` (`.tsv`), and beside it the file annotated.

    Parameters
    ----------
    loaded
        The run, with its definition.
    model_files
        The weights; of several, which are members of one result, predictions are means, and the
        standard deviation of the difference over members is told too.
    vcf
        VCF, plain, gzip or bgzip.
    genome
        FASTA, plain or bgzip.

    Raises
    ------
    UserError
        The file is no VCF, its chromosomes are not the genome's, or the model takes no windows.
    """
    encoding = KeptEncoding.read(best_folder(model_files[0]) / Path(BEST_ENCODING).name)
    width = width_of(encoding)
    # Before the definition is executed: an index of the genome is nothing that its code reads.
    with closing(Genome(genome)) as letters:
        source = VariantFile(vcf, genome, letters.lengths)
        source.check()
        model = restore_models(loaded, model_files)
        prediction = PairPrediction(loaded, model, encoding, vcf)
        padded = (encoding.options or {})["outside"] == "pad"
        windows = AlleleWindows(letters, width, prediction.alphabet, padded)
        statuses = _write(source, windows, prediction, out)
    _tell(vcf, genome, statuses)


@dataclass(frozen=True)
class _Allele:
    """An alternative of a record, and its windows."""

    record: Record
    text: bytes
    pair: Pair

    @property
    def name(self) -> bytes:
        """What its two records are called."""
        record = self.record
        place = f"{record.chromosome}:{record.position}".encode()
        return b"%s %s>%s" % (place, record.reference[:NAMED], self.text[:NAMED])


def _write(
    source: VariantFile, windows: AlleleWindows, prediction: PairPrediction, out: Path
) -> Counter[str]:
    """Write all files; count the alleles of each status."""
    titles = titles_of(prediction)
    statuses: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="dlutil-variants-") as folder,
        atomic_path(out) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        annotated = AnnotatedVcf(Path(folder), source.header(), titles)
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow([*PLACE, *map(shown_cell, titles)])
        for chunk in _chunks(source, windows):
            told = _told(chunk, prediction)
            statuses.update(allele.pair.status for allele in chunk)
            rows = zip(chunk, told, strict=True)
            writer.writerows([*_place(allele), *texts] for allele, texts in rows)
            _annotate(annotated, chunk, told)
        base = str(out.with_suffix(""))
        annotated.write(Path(f"{base}.vcf.gz"), Path(f"{base}.vcf.gz.tbi"), source.lengths)
    return statuses


def _chunks(source: VariantFile, windows: AlleleWindows) -> Iterator[list[_Allele]]:
    """Alleles of whole records, as many at a time as their windows are to be in memory."""
    most = CHUNK_BYTES // (2 * 4 * windows.width * windows.alphabet.depth)
    most = min(max(most, FEWEST_ALLELES), MOST_ALLELES)
    chunk: list[_Allele] = []
    held = 0  # bytes of lines, which may have thousands of genotypes
    for record in source.records():
        held += sum(map(len, record.fields))
        for text in record.alternatives:
            chunk.append(_Allele(record, text, windows.of(record, text)))
        if len(chunk) >= most or held >= LINE_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def titles_of(prediction: PairPrediction) -> list[str]:
    """Titles behind the place; those of several outputs end in `.<name>` of the output."""
    kinds = ["ref_prediction", "alt_prediction", "difference", "logit_difference"]
    kinds += ["sd"] if prediction.has_spread else []
    ends = [title.removeprefix("prediction") for title in prediction.titles]
    return [*(f"{kind}{end}" for kind in kinds for end in ends), STATUS_TITLE]


def _told(chunk: list[_Allele], prediction: PairPrediction) -> list[list[str]]:
    """A text for each title of each allele; what is not known is empty."""
    known = [k for k, allele in enumerate(chunk) if allele.pair.sequences is not None]
    pairs = [pair for allele in chunk if (pair := allele.pair.sequences) is not None]
    effects = prediction.effects([chunk[k].name for k in known], pairs)
    columns = _columns(effects)
    told = [[""] * len(columns) for _ in chunk]
    for k, texts in zip(known, zip(*columns, strict=True), strict=True):
        told[k] = list(texts)
    return [[*texts, allele.pair.status] for texts, allele in zip(told, chunk, strict=True)]


def _columns(effects: Effects) -> list[list[str]]:
    kinds: list[np.ndarray | None] = [effects.reference, effects.alternative, effects.difference]
    kinds += [effects.logit_difference, effects.sd]
    columns = [column for rows in kinds if rows is not None for column in rows.T]
    texts = [shown_numbers(column) for column in columns]
    return [["" if text == "nan" else text for text in column] for column in texts]


def _place(allele: _Allele) -> list[str]:
    record = allele.record
    name, reference = record.fields[2], record.reference
    texts = (part.decode("utf-8", "backslashreplace") for part in (name, reference, allele.text))
    return [shown_cell(record.chromosome), str(record.position), *map(shown_cell, texts)]


def _annotate(annotated: AnnotatedVcf, chunk: list[_Allele], told: list[list[str]]) -> None:
    """Give a record to the annotated file with what is told of all its alleles."""
    first = 0
    following: list[_Allele | None] = [*chunk[1:]]
    for k, (allele, after) in enumerate(zip_longest(chunk, following)):
        if after is None or after.record is not allele.record:
            annotated.add(allele.record, told[first : k + 1])
            first = k + 1


def _tell(vcf: str, genome: str, statuses: Counter[str]) -> None:
    """Say how many alleles have which status; and loudly where the genome seems to be another."""
    total, wrong = sum(statuses.values()), statuses[REF_MISMATCH]
    told = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    log.info("%s: %d alleles (%s)", vcf, total, told or "none")
    if wrong:
        tell(
            f"warning: {vcf}: {wrong} of {total} alleles have a REF that {genome} has not there"
            " (ref_mismatch); is it the genome of these variants?"
        )
