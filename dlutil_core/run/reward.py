"""`metrics:` and `reward:` of the config."""

from __future__ import annotations

from collections.abc import Sequence

from dlutil_core.common.errors import UserError


def check_reward(reward: str, source: str = "config") -> None:
    """Refuse a reward that is larger for worse models.

    Raises
    ------
    UserError
        A metric of dlutil's has the wrong sign.
    """
    from dlutil_core.model.chosen_metrics import KNOWN, SMALLER_IS_BETTER

    name = metric_of(reward)
    negative = reward.startswith("-")
    if name in SMALLER_IS_BETTER and not negative:
        raise UserError(
            f"{source}: reward is {reward}, but the search maximises the reward and a better model "
            f"has a smaller {name}; write -{reward}"
        )
    if name in KNOWN and name not in SMALLER_IS_BETTER and negative:
        raise UserError(
            f"{source}: reward is {reward}, but a better model has a larger {name}; write "
            f"{reward[1:]}"
        )


def metric_of(reward: str) -> str:
    """The metric that a reward is of, without sign and set."""
    name = reward.removeprefix("-")
    return name.removeprefix("val_").removeprefix("train_")


def computed_metrics(metrics: Sequence[str], reward: str | None) -> tuple[str, ...]:
    """The metrics that are computed beside a model's own: those asked for, and the reward's."""
    if reward is None:
        return tuple(dict.fromkeys(metrics))
    from dlutil_core.model.chosen_metrics import KNOWN

    wanted = [*metrics]
    if metric_of(reward) in KNOWN and reward.lstrip("-")[:6] != "train_":
        wanted.append(metric_of(reward))
    return tuple(dict.fromkeys(wanted))
