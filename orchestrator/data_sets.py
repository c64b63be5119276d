"""Datasets as a user names them, and which of those that a grid needs are not ready.

Loads neither torch nor Ray, as `plan` uses it.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterable, Sequence

from grids.configuration import part_from
from grids.data_folder import DataFolder, default_data_dir
from grids.datasets import Images, NuisanceDSprites
from grids.fields import FieldError, declared_fields
from grids.metrics import INCEPTION, METRICS
from grids.parts import Part
from orchestrator.data_files import OriginalFile, files_of
from orchestrator.errors import InputError


def dataset_named(name: str, options: Sequence[str] = ()) -> Images:
    """The dataset of a name and options `parameter=value`; InputError says what is valid."""
    parameters: dict[str, object] = {"name": name}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key:
            raise InputError(f"--set {option}: is no assignment; valid: parameter=value")
        if key in parameters:
            raise InputError(f"--set {option}: {key} stands twice; valid: each parameter once")
        try:
            parameters[key] = json.loads(text)
        except ValueError:
            parameters[key] = text
    try:
        part: Part = part_from("dataset", parameters)
    except FieldError as error:
        raise InputError(str(error)) from None
    assert isinstance(part, Images)
    return part


def as_named(dataset: Images) -> str:
    """The words of a command that name the dataset: its name, and what differs from defaults."""
    words = [dataset.name]
    for name, field in declared_fields(type(dataset)).items():
        if (value := getattr(dataset, name)) != field.default:
            words.append(f"--set {name}={value if isinstance(value, str) else json.dumps(value)}")
    return " ".join(words)


def original_files(
    dataset: Images, data: DataFolder, names: Sequence[str] | None = None
) -> tuple[OriginalFile, ...]:
    """The files that a dataset (or some of the `stored` that it reads) comes from.

    As they are there, in whichever form, else those to fetch; none for what is made here.
    """
    files: dict[OriginalFile, None] = {}
    for name in dataset.stored if names is None else names:
        owner = dataset.name
        if isinstance(dataset, NuisanceDSprites):
            owner = name  # "dsprites" or "scream"
        files.update(dict.fromkeys(files_of(owner, data.root)))
    return tuple(files)


def not_prepared(datasets: Iterable[Images], data: DataFolder) -> str | None:
    """What is missing and how to get it, in one line; None where all of them are ready."""
    missing = [dataset for dataset in dict.fromkeys(datasets) if missing_of(dataset, data)]
    if not missing:
        return None
    stored = [name for dataset in missing for name in dataset.stored]
    for name in stored:
        if data.info(name).parent.exists() and not data.is_prepared(name):
            return incomplete(data, name)
    line = f"not prepared below {data.root}: {', '.join(map(as_named, missing))}; "
    line += f"get ready with: {'; '.join(missing_datasets(missing, data))}"
    kinds = tuple(f"{dataset.name}-" for dataset in missing)
    there = sorted(info.parent.name for info in data.prepared.glob("[!.]*/info.json"))
    if parts := [name for name in there if name in stored]:
        line += f" (of it there is: {', '.join(parts)})"
    elif others := [n for n in there if n.startswith(kinds) and not n.endswith("-votes")]:
        line += f" (with other parameters there are: {', '.join(others)})"
    return line


def incomplete(data: DataFolder, name: str) -> str:
    """What to do about a prepared set without the file that is written last."""
    return f"{data.info(name).parent}: incomplete (it has no info.json); delete it, prepare again"


def missing_datasets(datasets: Iterable[Images], data: DataFolder) -> list[str]:
    """A command for each dataset that has to be prepared first."""
    commands = (missing_of(dataset, data) for dataset in dict.fromkeys(datasets))
    return list(dict.fromkeys(command for command in commands if command))


def missing_network(metrics: Iterable[str], data: DataFolder) -> list[str]:
    """The command for the network of the FID, where one of these metrics needs it."""
    if not any(INCEPTION in METRICS[metric] for metric in metrics):
        return []
    if all(file.path(data.root).exists() for file in files_of("inception", data.root)):
        return []
    return [f"latentgrid data fetch inception{_data_dir(data)}"]


def missing_of(dataset: Images, data: DataFolder) -> str | None:
    """The command that gets a dataset ready; None where it is."""
    if all(data.is_prepared(name) for name in dataset.stored):
        return None
    options = {name: getattr(dataset, name) for name in declared_fields(type(dataset))}
    if "standardise" in options:  # it changes what a model is given, not what is prepared
        dataset = dataclasses.replace(dataset, standardise=False)  # type: ignore[call-arg]
    return f"latentgrid data prepare {as_named(dataset)}{_data_dir(data)}"


def _data_dir(data: DataFolder) -> str:
    """The option that a command needs for this directory."""
    if data.root == default_data_dir():
        return ""
    return f" --data-dir {shlex.quote(str(data.root))}"
