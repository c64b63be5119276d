"""`latentgrid importance`: one measurement, in a study of its own, in this process."""

from __future__ import annotations

import json

from grids.configuration import as_values
from grids.data_folder import DataFolder
from grids.datasets import Images
from grids.fields import FieldError
from grids.load import Grid
from grids.measurement import Measurement
from grids.reports import GENERIC
from grids.settings import Budget, Evaluate, Resources
from orchestrator.data_check import check_data
from orchestrator.errors import Exit, InputError
from orchestrator.run import check_folder, run_here
from orchestrator.signals import Signals
from orchestrator.terminal import Terminal
from orchestrator.tries import last_line
from results.files import Location
from results.store import StudyFolder
from results.tables import load

STUDY = "importance"


def importance_of(
    dataset: Images, reconstruction: str, pairs: int, seed: int, out: Location, data: DataFolder
) -> tuple[Measurement, Exit]:
    """Measures, unless it is measured; the rows stand in `<out>/importance`.

    Raises InputError where there is nothing to measure with.
    """
    try:
        # A trial's way in, so that the loss is checked like that of a grid file.
        values = {"dataset": as_values(dataset), "reconstruction": reconstruction}
        measurement = Measurement.from_dict(values | {"pairs": pairs, "seed": seed})
    except FieldError as error:
        raise InputError(str(error)) from None
    grid = Grid(
        study=STUDY,
        source=None,
        report=GENERIC,
        trials=(measurement,),
        resources=(Resources(),),
        evaluate=Evaluate(),
        budget=Budget(),
        # JSON is YAML: the study's own copy can be read again.
        text=json.dumps({"study": STUDY, "measurement": measurement.to_dict()}) + "\n",
    )
    folder = StudyFolder(out / STUDY)
    check_data(grid, folder, data)
    if folder.outcomes().get(measurement.trial_id) == "completed":
        return measurement, Exit.DONE
    console = Terminal(stderr=True)
    with Signals("stopping ...") as signals:
        check_folder(folder)
        session = run_here(grid, folder, data, console, signals)
    if session.interrupted:
        console.print("interrupted; nothing was kept, the same command starts again")
        return measurement, Exit.INTERRUPTED
    if folder.outcomes().get(measurement.trial_id) == "completed":
        return measurement, Exit.DONE
    trials = load(folder.root, with_curves=False).trials
    for reason in trials[trials["trial_id"] == measurement.trial_id]["error"]:
        console.print(f"could not be measured: {last_line(reason)}")
    if session.stop_reason:
        console.print(f"stopped: {session.stop_reason}", soft_wrap=True)
    return measurement, Exit.FAILED
