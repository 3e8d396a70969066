"""The steps of a run: what each depends on and makes, as requests that its job is given.

Steps are in topological order. A step's part holds what its results depend on beside files; files
that it is known to need are its inputs, whatever step made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlutil_core.common import result_folder as names
from dlutil_core.common.hashes import sha256_text
from dlutil_core.common.identity import identity_path
from dlutil_core.common.version import code_sha256, package_versions
from dlutil_core.job.run_spec import RESULT_VERSION, TRAINING_PACKAGES
from dlutil_core.job.step import Request
from dlutil_core.preprocess import kept_encoding
from dlutil_core.preprocess import parts as data_parts
from dlutil_core.preprocess import section as preprocess
from dlutil_core.preprocess.version import DATA_VERSION
from dlutil_core.run import result_files as files
from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.report_arguments import told_preprocess
from dlutil_core.run.run_config import RunConfig

DATA_PACKAGES = ("numpy", "h5py", "hdf5plugin")
RESULT_PACKAGES = (
    *("python", "torch", "numpy", "h5py", "pandas", "scikit-learn", "matplotlib", "logomaker"),
    *("captum", "jinja2", "scipy"),
)

VARIANT_PACKAGES = ("hdf5plugin", "pysam")
"""Beside those of all results: what packs and indexes an annotated VCF file."""


@dataclass(frozen=True)
class PlannedStep:
    """A step of a run.

    Parameters
    ----------
    request
        What its job is given.
    before
        Steps whose results it needs.
    """

    request: Request
    before: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The step's name."""
        return self.request.step


class Steps:
    """All steps of a run, by name, in an order in which they can run.

    Parameters
    ----------
    run
        The run.
    sizes
        How its search is divided into jobs.
    """

    def __init__(self, run: RunConfig, sizes: JobSizes) -> None:
        self.run = run
        self.sizes = sizes
        self.planned: dict[str, PlannedStep] = {}
        self._makers: dict[str, str] = {}
        for path, address in run.values["storage"].items():
            self._add(self.fetching(path), {"address": address}, [], [path])
        self._data()
        if run.trains:
            self._search()
        self._members()
        self._best_model()
        self._report()

    def __getitem__(self, name: str) -> PlannedStep:
        return self.planned[name]

    def __iter__(self) -> Iterator[PlannedStep]:
        return iter(self.planned.values())

    @staticmethod
    def fetching(path: str) -> str:
        """The name of the step that fetches a file from a storage."""
        return f"fetch/{sha256_text(path)[:16]}"

    def maker(self, path: str) -> str:
        """The step that makes a file; empty where none of this run does."""
        return self._makers.get(self.run.places.named(path), "")

    def _add(
        self,
        name: str,
        part: Mapping[str, Any],
        inputs: Iterable[str],
        outputs: Iterable[str],
        of_fold: int | None = None,
    ) -> None:
        """Plan a step; with `of_fold` its code gets the data of a fold, or of the one split."""
        request = self._request(name, part, inputs, outputs)
        before = {self._makers[path] for path in request.inputs if path in self._makers}
        if of_fold is not None:  # code may read what nobody named
            before |= {data_parts.MAIN, data_parts.main_part(of_fold)} & self.planned.keys()
        self.planned[name] = PlannedStep(request, tuple(sorted(before)))
        own = self.run.places.named(identity_path(self.run.result, name))
        self._makers |= dict.fromkeys([*request.outputs, own], name)

    def _request(
        self, name: str, part: Mapping[str, Any], inputs: Iterable[str], outputs: Iterable[str]
    ) -> Request:
        named = self.run.places.named
        needed = tuple(dict.fromkeys(map(named, inputs)))
        return Request(name, self.run.places, part, needed, tuple(map(named, outputs)))

    def _results(self, names: Iterable[str]) -> list[str]:
        return [f"{self.run.result}/{name}" for name in names]

    def _in_data(self, names: Iterable[str]) -> list[str]:
        return [f"{self.run.data}/{name}" for name in names]

    # Data

    def _data(self) -> None:
        for name, part in data_parts.parts(self.run.section).items():
            options = {
                "section": part.section,
                "seed": self.run.values["seed"],
                "data_version": DATA_VERSION,
                "packages": package_versions(DATA_PACKAGES),
            }
            raw = preprocess.input_files(part.section)
            inputs = [*raw, *self._in_data(part.needed)]
            outputs = self._in_data(part.outputs)
            self._add(name, options, inputs, outputs)

    # Search

    def _source_part(self, stage: str) -> dict[str, Any]:
        run = self.run
        return {
            "definition": run.places.named(run.definition).rpartition("/")[2],
            "fingerprint": run.analysis.fingerprints[stage],
            "env_sha256": run.env_sha256,
            "run_seed": run.seed,
        }

    def _definition_part(self, stage: str) -> dict[str, Any]:
        run = self.run
        return self._source_part(stage) | {
            "device": run.values["device"],
            "threads_per_trial": run.search["threads_per_trial"],
            "options": run.options.identity(),
        }

    def _version_part(self) -> dict[str, Any]:
        return {
            "result_version": RESULT_VERSION,
            "packages": package_versions(TRAINING_PACKAGES),
        }

    def _training_part(self) -> dict[str, Any]:
        batch_size = {"batch_size": self.run.values["batch_size"]}
        return self._definition_part("train") | self._version_part() | batch_size

    def _stage_inputs(self, stage: str, fold: int = 0) -> list[str]:
        needed = self.run.files_of(fold).of_stage(stage)
        return [*self._in_data(needed), *self.run.definition_files]

    def _search(self) -> None:
        self._plan()
        self._brackets()
        self._selection()

    def _plan(self) -> None:
        run = self.run
        keys = ("method", "max_epochs", "eta", "config")
        searched = {key: run.search[key] for key in keys}
        if run.plan.is_staged:
            searched["sampler"] = run.plan.sampler
        if run.start:
            searched["start"] = run.start
        self._add(
            "plan",
            self._source_part("train") | self._version_part() | {"search": searched},
            run.definition_files,
            self._results(files.plan_files(run.plan)),
            of_fold=0,
        )

    def _brackets(self) -> None:
        run, training = self.run, self._training_part()
        plan_file = self._results([names.PLAN])
        kind = run.plan.kind
        for bracket in run.plan.brackets:
            number = bracket.number
            if run.plan.is_staged:
                self._propose(number)
            before = self._results(files.needed_before(run.plan, number))
            inputs = [*plan_file, *before, *self._stage_inputs("train")]
            outputs = self._results(names.bracket_files(number, kind))
            part = training | {kind: number}
            self._add(f"{kind}-{number}", part, inputs, outputs, of_fold=0)

    def _selection(self) -> None:
        run, training = self.run, self._training_part()
        # What the brackets read is told in the model's provenance, so their identities are needed.
        identities = [names.identity(step) for step in run.plan.steps]
        section = run.section
        encoded = [*self._in_data(kept_encoding.told_files(section))]
        encoded += kept_encoding.needed_files(section)
        self._add(
            "best",
            self._made_part() | training | {"encoding": kept_encoding.part_of(section)},
            [*self._results([*files.search_files(run), *identities]), *encoded],
            self._results(names.BEST_FILES),
        )
        if run.values["keep_checkpoints"] != "all":
            self._add(
                "prune",
                {"keep": run.values["keep_checkpoints"]},
                self._results([names.PLAN, names.BEST_LEADERBOARD]),
                self._results(["logs/pruned.txt"]),
            )

    def _propose(self, stage: int) -> None:
        """What a stage tries depends on files alone."""
        inputs = [names.PLAN, names.DRAWS, *names.stages_before(stage)]
        self._add(
            f"propose-{stage}",
            self._version_part() | {"stage": stage},
            self._results(inputs),
            self._results([names.proposal(stage)]),
        )

    # What follows the search

    def _made_part(self) -> dict[str, Any]:
        """For steps whose results are all that dlutil's own code makes of files."""
        return {"code": code_sha256(), "versions": package_versions(RESULT_PACKAGES)}

    def _best_model(self) -> None:
        run, made = self.run, self._made_part()
        best = self._results([names.BEST_MODEL, names.BEST_PROVENANCE])
        if run.values["evaluate"]:
            part = made | self._definition_part("test") | {"label_names": run.label_names}
            inputs = [*best, *self._stage_inputs("test")]
            self._add("test", part, inputs, self._results(files.TEST_FILES), of_fold=0)
            inputs = self._results([names.TEST_METRICS, names.TEST_OUTPUTS])
            self._add("figures", made, inputs, self._results(files.FIGURE_FILES))
        if run.values["baseline"]["enabled"]:
            part = made | self._source_part("baseline") | {"baseline": run.values["baseline"]}
            part |= {"label_names": run.label_names, "batch_size": run.values["batch_size"]}
            part |= {"metrics": list(run.options.metrics)}
            inputs = [*self._stage_inputs("train"), *self._stage_inputs("test")]
            outputs = self._results(files.BASELINE_FILES)
            self._add("baseline", part, inputs, outputs, of_fold=0)
        models = self._results([*files.model_files(run), names.BEST_PROVENANCE])
        for name in run.files.predicted:
            part = made | self._definition_part("predict")
            inputs = [*models, *self._in_data([name]), *run.definition_files]
            outputs = self._results(files.prediction_files(name))
            self._add(f"predict/{name}", part, inputs, outputs, of_fold=0)
        for name, given in run.variants.items():
            part = made | self._definition_part("predict")
            part |= {"packages": package_versions(VARIANT_PACKAGES)}
            encoding = self._results([names.BEST_ENCODING])
            inputs = [*models, *encoding, given["vcf"], given["genome"], *run.definition_files]
            outputs = self._results(files.variant_files(name))
            self._add(f"variants/{name}", part, inputs, outputs, of_fold=0)
        if run.values["explain"]["enabled"]:
            stage, section = run.explained_stage, run.values["explain"]
            part = made | self._definition_part(stage) | {"explain": section}
            motifs = [section["motifs"]] if section["motifs"] else []
            models = self._results([*files.explained_files(run), names.BEST_PROVENANCE])
            fold = run.explained_fold
            inputs = [*models, *self._stage_inputs(stage, fold), *motifs]
            self._add("explain", part, inputs, self._results(files.EXPLAIN_FILES), of_fold=fold)

    def _members(self) -> None:
        run, made = self.run, self._made_part()
        training = made | self._training_part()
        tested = made | self._definition_part("test") | {"label_names": run.label_names}
        for member in run.repeat.members:
            which = {"fold": member.fold, "member": member.seed}
            inputs = self._results(files.picked_files(run))
            inputs += self._stage_inputs("train", member.fold)
            outputs = self._results(member.files(names.MEMBER_FILES))
            self._add(member.training_step, training | which, inputs, outputs, of_fold=member.fold)
            if run.values["evaluate"]:
                model = member.files((names.MEMBER_MODEL,))
                inputs = self._results([*model, names.BEST_PROVENANCE])
                inputs += self._stage_inputs("test", member.fold)
                outputs = self._results(member.files(names.MEMBER_TEST_FILES))
                self._add(member.test_step, tested | which, inputs, outputs, of_fold=member.fold)
        if run.repeat.is_set:
            part = tested if run.values["evaluate"] else made
            inputs = self._results([*files.picked_files(run), *files.member_results(run)])
            inputs += self._in_data(files.tested_files(run).values())
            if names.OUT_OF_FOLD in files.summary_files(run):
                inputs += self._results([names.BEST_ENCODING])
            self._add("members/summary", part, inputs, self._results(files.summary_files(run)))

    def _report(self) -> None:
        run, made = self.run, self._made_part()
        part = made | {
            "preprocess": told_preprocess(run),
            "title": run.values["title"],
            "tested": run.values["evaluate"],
            "baseline": run.values["baseline"]["enabled"],
            "explained": run.values["explain"]["enabled"],
        }
        inputs = [
            *self._results(files.report_inputs(run)),
            *self._in_data(files.statistics(run)),
        ]
        self._add("report", part, inputs, self._results(files.report_files(run)))
        everything = self._results(files.result_files(run))
        manifest = self._results([names.MANIFEST])
        self._add("manifest", {"files": len(everything)}, everything, manifest)

    # Trial jobs

    def slot(self, bracket: int, rung: int, job: int) -> Request:
        """What is wanted of a trial job: some slots of a rung."""
        slots, plan = self.sizes.slots(bracket, rung)[job], self.run.plan
        part = self._training_part() | {plan.kind: bracket, "rung": rung}
        part["slots"] = [slots.start, slots.stop]
        before = files.needed_before(plan, bracket)
        before += [f"search/slots/{plan.kind}-{bracket}/rung-{rung - 1}.json"] if rung else []
        inputs = [*self._results([names.PLAN, *before]), *self._stage_inputs("train")]
        name = f"slots/{plan.kind}-{bracket}/rung-{rung}/{job}"
        return self._request(name, part, inputs, self._results([f"search/{name}.json"]))

    def ranking(self, bracket: int, rung: int) -> Request:
        """What is wanted of the ranking of a rung's slots."""
        jobs, plan = range(len(self.sizes.slots(bracket, rung))), self.run.plan
        name = f"slots/{plan.kind}-{bracket}/rung-{rung}"
        slots = [f"search/{name}/{job}.json" for job in jobs]
        part = {"result_version": RESULT_VERSION, "code": code_sha256()}
        inputs = self._results([names.PLAN, *files.needed_before(plan, bracket), *slots])
        return self._request(name, part, inputs, self._results([f"search/{name}.json"]))
