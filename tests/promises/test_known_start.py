"""Known configurations: the same bytes in place as afresh, growing, from a table."""

from __future__ import annotations

from pathlib import Path

from support import Project

from dlutil_core.common.files import write_csv

KNOWN = {"units": 8, "lr": 0.02, "dropout": 0.2, "momentum": 0.9}


def test_known_configurations_in_place_and_afresh(searched: Project, tmp_path: Path) -> None:
    search = {"max_epochs": 9, "start": [KNOWN]}
    fresh = Project.make(tmp_path / "fresh", search=search, evaluate=False, predict=[])
    fresh.succeed(cores=1)
    assert fresh.plan["trials"][0]["config"] == KNOWN

    project = searched.copy(tmp_path / "copy")
    project.forget_epochs()
    project.configure(search={"start": [KNOWN]})
    project.succeed()
    assert project.plan["trials"][0]["config"] == KNOWN
    assert project.plan["trials"][1:] == searched.plan["trials"][1:]
    seeds = {trial["seed"]: trial["trial"] for trial in project.plan["trials"]}
    begun = {seeds[epoch.trial_seed] for epoch in project.epochs() if epoch.number == 1}
    assert begun == {0}, "of the others no epoch is trained again"
    assert not project.would_run()

    write_csv(
        project.folder / "known.csv",
        ["rank", *(f"config.{name}" for name in KNOWN)],
        [{"rank": 1, **{f"config.{name}": value for name, value in KNOWN.items()}}],
    )
    project.configure(search={"max_epochs": 9, "start": "known.csv"})
    project.succeed()
    assert project.manifest == fresh.manifest

    project.configure(search={"start": [KNOWN | {"momentun": 0.1}]})
    done = project.run()
    assert done.code != 0
    assert "has the key 'momentun', which get_config never gives; did you mean" in done.output
    assert "Traceback" not in done.output
