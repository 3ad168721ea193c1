"""Which settings a search tries: of the grid of a space, by chance or by what the last ones got."""

import functools
import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from easymft.config import METHODS
from easymft.errors import InputError

Point = dict[str, Any]  # dotted key -> value
_AGAIN = 20  # times that the sampler may name what was tried already


def axes_of(space: Mapping[str, Sequence[Any]], method: str) -> list[list[Point]]:
    """Return the values of each axis of a space, as far as they matter to a method.

    Args:
        space: Values per setting; a value that is an object holds several settings.
        method: Only settings that matter to it count.
    """
    axes = []
    for key, values in space.items():
        points = [value if isinstance(value, dict) else {key: value} for value in values]
        points = [{k: v for k, v in point.items() if METHODS[method].reads(k)} for point in points]
        axes.append([point for i, point in enumerate(points) if point not in points[:i]])
    return axes


def draw(
    space: Mapping[str, Sequence[Any]],
    method: str,
    trials: int,
    seed: int,
    given: Mapping[str, Any],
) -> list[Point]:
    """Distinct settings of a method: first the recipe's own, then others of the grid, shuffled.

    Args:
        space: See `axes_of`.
        method: See there.
        trials: How many to draw, or fewer where the grid has fewer.
        seed: Seed of the order, the same for all methods.
        given: The recipe's sections, whose own point of the grid is not tried twice.
    """
    grid = [_merged(parts) for parts in itertools.product(*axes_of(space, method))]
    random.Random(seed).shuffle(grid)
    return [{}, *(point for point in grid if _changes(point, given))][:trials]


class TpeTrials:
    """Settings of a method, each chosen by the accuracies of those before it.

    First comes the recipe as it stands; the others are of the grid, none twice, and as many as
    `draw` gives. The same accuracies lead to the same settings, so a search that was interrupted
    asks for those that it had. By Optuna's tree-structured Parzen estimator (Bergstra et al.:
    Algorithms for hyper-parameter optimization, NeurIPS 2011).

    Args:
        space: See `draw`, like the others.
        method: See there.
        trials: See there.
        seed: See there.
        given: See there.

    Raises:
        InputError: Optuna is not installed.
    """

    def __init__(
        self,
        space: Mapping[str, Sequence[Any]],
        method: str,
        trials: int,
        seed: int,
        given: Mapping[str, Any],
    ):
        try:
            import optuna
        except ModuleNotFoundError:
            message = "tpe needs Optuna; pip install 'easymft[optuna]', or choose random"
            raise InputError(message, field="search.sampler") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna, self._axes, self._given = optuna, axes_of(space, method), given
        self._drawn = draw(space, method, trials, seed, given)
        self._order = draw(space, method, 1 + _size(self._axes), seed, given)
        # Some by chance, as the estimator needs, of which by default there would be ten.
        startup = min(10, max(2, trials // 3))
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._distributions = {
            str(number): optuna.distributions.CategoricalDistribution(range(len(axis)))
            for number, axis in enumerate(self._axes)
        }
        self._asked: list[Point] = []
        self._accuracies: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many there are in all."""
        return len(self._drawn)

    def ask(self) -> Point:
        """Return the next settings; `tell` what they got before the next call."""
        if not self._asked:
            point: Point = {}
        else:
            point, self._trial = next(self._new())
        self._asked.append(point)
        return point

    def tell(self, accuracy: float) -> None:
        """Say what the settings asked for last got."""
        point = self._asked[-1]
        self._accuracies[_key(point)] = accuracy
        if point:
            self._study.tell(self._trial, accuracy)
        elif (places := self._own_places()) is not None:
            self._study.add_trial(
                self._optuna.trial.create_trial(
                    params=places, distributions=self._distributions, value=accuracy
                )
            )

    def _new(self) -> Iterator[tuple[Point, Any]]:
        """Yield settings that were not tried: of the sampler's, else the next by chance."""
        for _ in range(_AGAIN):
            trial = self._study.ask(self._distributions)
            point = self._point(trial.params)
            key = _key(point) if _changes(point, self._given) else _key({})
            if key not in self._accuracies:
                yield point, trial
            else:
                self._study.tell(trial, self._accuracies[key])
        point = next(point for point in self._order if _key(point) not in self._accuracies)
        self._study.enqueue_trial(self._places(point))
        yield point, self._study.ask(self._distributions)

    def _point(self, places: Mapping[str, int]) -> Point:
        return _merged([axis[places[str(number)]] for number, axis in enumerate(self._axes)])

    def _places(self, point: Point) -> dict[str, int]:
        """Return where settings stand on each axis."""
        return {
            str(number): next(i for i, part in enumerate(axis) if part.items() <= point.items())
            for number, axis in enumerate(self._axes)
        }

    def _own_places(self) -> dict[str, int] | None:
        """Return where the recipe's own settings stand, if they are a point of the grid."""
        own = [
            [i for i, p in enumerate(axis) if not _changes(p, self._given)] for axis in self._axes
        ]
        return {str(n): places[0] for n, places in enumerate(own)} if all(own) else None


def _size(axes: Sequence[Sequence[Point]]) -> int:
    return functools.reduce(lambda size, axis: size * len(axis), axes, 1)


def _merged(parts: Sequence[Point]) -> Point:
    return {key: value for part in parts for key, value in part.items()}


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)


def _changes(point: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    def own(key: str) -> Any:
        # A section that the recipe leaves out is null.
        return functools.reduce(lambda part, name: (part or {}).get(name), key.split("."), given)

    return any(own(key) != value for key, value in point.items())
