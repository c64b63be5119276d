"""How often each unit was tried, and when trying is over: for one trial, or for the whole sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from orchestrator.work import Unit

MAX_TRIES = 3
ALIKE = 3


def last_line(text: str) -> str:
    """The line of a traceback that says what happened."""
    return (text.strip() or "no message").rsplit("\n", 1)[-1]


class Tries:
    """Counts of one run: a new run grants every trial its tries anew.

    `give_up(unit, error)` is called once, when a unit has used its tries; `stop(reason)` when the
    first trials fail with one and the same error, since the rest would fail like them. `succeeded`
    says whether any trial of the grid has ever finished.
    """

    def __init__(
        self,
        *,
        succeeded: bool,
        give_up: Callable[[Unit, str], None],
        stop: Callable[[str], None],
    ) -> None:
        self._counts: Counter[str] = Counter()
        self._first_errors: dict[str, str] = {}
        self._succeeded = succeeded
        self._give_up, self._stop = give_up, stop

    def left(self, unit: Unit) -> bool:
        return self._counts[unit.trial.trial_id] < MAX_TRIES

    def most(self, units: Iterable[Unit]) -> int:
        """The most tries that one of these has used."""
        return max((self._counts[unit.trial.trial_id] for unit in units), default=0)

    def of(self, trial_id: str) -> int:
        return self._counts[trial_id]

    def succeeded(self) -> None:
        self._succeeded = True

    def failed(self, unit: Unit, error: str, *, raised: bool) -> None:
        """A try ended with an error; `raised` tells a traceback from a process that just vanished.

        Only raised errors can be alike: three trials on one lost node say nothing of the rest.
        """
        trial_id = unit.trial.trial_id
        self._counts[trial_id] += 1
        if self._counts[trial_id] == MAX_TRIES:
            self._give_up(unit, error)
        if self._succeeded or not raised:
            return
        self._first_errors.setdefault(trial_id, last_line(error))
        if len(self._first_errors) == ALIKE and len(set(self._first_errors.values())) == 1:
            self._stop(f"the first {ALIKE} trials failed alike: {last_line(error)}")
