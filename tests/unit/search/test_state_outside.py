"""State that a checkpoint does not hold, that leaks between trials, or that loaders keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_search import DEFINITION, SmallSearch, Told, with_epochs

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.search.trainer import Trainer


@pytest.fixture
def told() -> Iterator[Told]:
    handler = Told()
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


AVERAGED = DEFINITION.replace(
    "    def fit_epoch(self, train):\n",
    """        self.average = {k: v.clone() for k, v in network.state_dict().items()}

    def fit_batch(self, x, y):
        found = super().fit_batch(x, y)
        for name, value in self.network.state_dict().items():
            self.average[name] += 0.1 * (value - self.average[name])
        return found

    def evaluate(self, loader):
        kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        row = super().evaluate(loader)
        self.network.load_state_dict(kept)
        return row

    def fit_epoch(self, train):
""",
)
SAVED = (
    AVERAGED
    + """
    def save(self, path=None):
        return super().save(path) | {"average": self.average}

    def load(self, state):
        super().load(state)
        self.average = dict(state["average"])
"""
)
NOISY = (
    DEFINITION
    + """
    def evaluate(self, loader):
        row = super().evaluate(loader)
        return row | {"loss": row["loss"] * (1 + 0.1 * float(torch.rand(())))}
"""
)


def restored(search: SmallSearch) -> None:
    """Train a trial to its second epoch in one process and to the third in another."""
    for budget in (2, 3):
        trainer = Trainer(LoadedRun(search.spec))
        assert not trainer.train(search.plan.trials[0], budget).failed


def test_a_trial_does_not_go_on_without_what_save_leaves_out(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        restored(SmallSearch(tmp_path, AVERAGED))
    text = str(caught.value)
    assert text.startswith("trial 0: val_loss after epoch 2 was ") and "\n" not in text
    assert "return it from save() and take it over in load()" in text


@pytest.mark.parametrize("definition", [DEFINITION, SAVED, NOISY], ids=["plain", "saved", "noisy"])
def test_a_trial_goes_on_where_nothing_is_missing(
    definition: str, tmp_path: Path, told: Told
) -> None:
    restored(SmallSearch(tmp_path, definition))
    SmallSearch(tmp_path / "search", definition).run()
    assert told.warnings == []


def test_it_is_noticed_where_no_trial_is_interrupted(tmp_path: Path) -> None:
    for _ in range(2):  # the second time nothing is trained
        with pytest.raises(UserError, match="return it from save"):
            SmallSearch(tmp_path, AVERAGED).run()


def test_a_fit_of_ones_own_is_warned_of(tmp_path: Path, told: Told) -> None:
    own = """
    def fit(self, *arguments, **named):
        return super().fit(*arguments, **named)
"""
    restored(SmallSearch(tmp_path, AVERAGED + own))
    assert len(told.warnings) == 1 and "save() does not return" in told.warnings[0]


# -- from one trial to the next --------------------------------------------------------------------

LEAKS = {
    "a counter of the module": (
        "globals()['AT_TOP'] = (AT_TOP or 0) + 1",
        "self.optimizer.param_groups[0]['lr'] = 0.01 / AT_TOP",
    ),
    "a generator of the module": (
        "globals().setdefault('rng', np.random.default_rng(0))",
        "self.optimizer.param_groups[0]['lr'] = rng.uniform(0, 0.01)",
    ),
    "no seed": ("self.optimizer.param_groups[0]['lr'] = random.SystemRandom().random() / 100",),
    "an environment variable": (
        "self.optimizer.param_groups[0]['lr'] = float(os.environ.setdefault('RATE', '0.01'))",
        "os.environ['RATE'] = '0.001'",
    ),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_what_one_trial_leaves_for_the_next_is_warned_of(
    kind: str, tmp_path: Path, told: Told
) -> None:
    SmallSearch(tmp_path, with_epochs(*LEAKS[kind])).run()
    assert len(told.warnings) == 1, told.lines
    assert told.warnings[0].startswith("warning: trial 2: its first epoch is another one when ")
    assert " instead of " in told.warnings[0]


def test_it_is_looked_at_once(tmp_path: Path) -> None:
    note = tmp_path / "note"
    search = SmallSearch(
        tmp_path / "search",
        with_epochs(
            f"if 'DLUTIL_SECOND_LOOK' in os.environ: open({str(note)!r}, 'a').write('x')",
        ),
    )
    search.run()
    assert note.read_text() == "x"
    search.run()
    assert note.read_text() == "x", "nothing was trained"


# -- loaders with generators of their own ----------------------------------------------------------

LOADERS = {
    "generator": "DataLoader(data, 10, shuffle=True, generator=G)",
    "sampler": "DataLoader(data, 10, sampler=torch.utils.data.RandomSampler(data, generator=G))",
    "batch sampler": "DataLoader(data, batch_sampler=torch.utils.data.BatchSampler("
    "torch.utils.data.RandomSampler(data, generator=G), 10, False))",
    "numpy": "Noisy(np.random.default_rng(0))",
    "old numpy": "Noisy(np.random.RandomState(0))",
    "python": "Noisy(random.Random(0))",
    "workers": "DataLoader(data, 10, shuffle=True, num_workers=1)",
    "persistent workers": "DataLoader(data, 10, shuffle=True, num_workers=1, "
    "persistent_workers=True)",
    "data set": "DataLoader(Augmented(), 10)",
    "persistent data set": "DataLoader(Augmented(), 10, num_workers=1, persistent_workers=True)",
}
OWN = """
G = torch.Generator().manual_seed(0)


class Noisy:
    def __init__(self, rng):
        self.rng = rng

    def __iter__(self):
        for start in range(0, 40, 10):
            yield x[start : start + 10] + self.rng.uniform(0, 1), x[start : start + 10, 0]


class Augmented(TensorDataset):
    def __init__(self):
        super().__init__(x, x[:, 0])
        self.rng = np.random.default_rng(0)

    def __getitem__(self, row):
        x, y = super().__getitem__(row)
        return x + self.rng.uniform(), y


def get_train_generator(data_dir, batch_size):
    data = TensorDataset(x, x[:, 0])
    return LOADER, batch_generator.MatrixBatchGenerator(x, x[:, 0])


class Model("""


@pytest.mark.parametrize("kind", LOADERS)
def test_loaders_with_state_give_the_same_bytes_on_any_number_of_cores(
    kind: str, tmp_path: Path, told: Told
) -> None:
    definition = DEFINITION.replace("class Model(", OWN.replace("LOADER", LOADERS[kind]))
    found = []
    for workers in (1, 2):
        search = SmallSearch(tmp_path / str(workers), definition)
        search.run(workers)
        found.append(search.files)
    assert found[0] == found[1]
    assert told.warnings == []
    # and where a trial goes on in another process
    restored(SmallSearch(tmp_path / "parts", definition))
    parts = SmallSearch(tmp_path / "whole", definition)
    row = Trainer(LoadedRun(parts.spec)).train(parts.plan.trials[0], 3).rows[2]
    again = SmallSearch(tmp_path / "parts", definition)
    assert Trainer(LoadedRun(again.spec)).train(again.plan.trials[0], 3).rows[2] == row
