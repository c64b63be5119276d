from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from grids import schema
from grids.parts import DATASETS, FRAMEWORKS, METRICS

QUICKSTART = schema.FILE.with_name("quickstart.yaml")


def document(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_file_is_what_the_code_writes() -> None:
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run python -m grids.schema"


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema.schema())


@pytest.mark.parametrize(
    "path", sorted(QUICKSTART.parent.rglob("*.yaml")), ids=lambda path: path.name
)
def test_every_grid_file_of_the_package_conforms(path: Path) -> None:
    jsonschema.Draft7Validator(schema.schema()).validate(document(path.read_text(encoding="utf-8")))


def test_cases_and_dotted_keys_conform() -> None:
    text = """
    study: s
    trial: {dataset: xysquares, framework: {name: ada_gvae, k_rule: fixed, k: 2}}
    zip: {dataset.spacing: [1, 2], steps: [10, 20]}
    cases:
      - {framework: beta_vae, grid: {beta: [1, 4]}, resources: {gpus: 0.5, memory: 2GiB}}
    exclude: [{framework: beta_vae, dataset.spacing: 1}]
    include: [{dataset.grid_size: null}]
    evaluate: {metrics: [mig, udr], every: {mig: 20}}
    budget: {gpu_hours: 10}
    """
    jsonschema.Draft7Validator(schema.schema()).validate(document(text))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{study: ../x}",
        "{study: s, trail: {}}",
        "{study: s, trial: {latents: 0}}",
        "{study: s, trial: {latents: [1]}}",
        "{study: s, trial: {framework: beta_vea}}",
        "{study: s, trial: {dataset: {spacing: 3}}}",
        "{study: s, trial: {dataset: {name: xysquares, spacin: 3}}}",
        "{study: s, grid: {seed: []}}",
        "{study: s, grid: {seed: 1}}",
        "{study: s, evaluate: {metrics: [migg]}}",
        "{study: s, evaluate: {during: slow}}",
        "{study: s, evaluate: {every: 0}}",
        "{study: s, evaluate: {every: [1, 2]}}",
        "{study: s, evaluate: {every: {migg: 20}}}",
        "{study: s, evaluate: {every: {mig: 0}}}",
        "{study: s, evaluate: {every: {mig: [1, 2]}}}",
        "{study: s, evaluate: {every: {udr: 20}}}",
        "{study: s, resources: {memory: 2GB}}",
    ],
)
def test_an_editor_marks_what_the_loader_refuses(text: str) -> None:
    assert not jsonschema.Draft7Validator(schema.schema()).is_valid(document(text))


def test_the_valid_names_and_a_description_of_each_key_are_in_it() -> None:
    text = schema.text()
    for name in [*DATASETS, *FRAMEWORKS, *METRICS]:
        assert f'"{name}"' in text
    for key, value in schema.schema()["definitions"]["partial"]["properties"].items():
        described = value.get("description") or value["anyOf"][1]["description"]
        assert described, key


def test_quickstart_points_editors_to_it() -> None:
    first = QUICKSTART.read_text(encoding="utf-8").partition("\n")[0]
    assert first == f"# yaml-language-server: $schema={schema.FILE.name}"
