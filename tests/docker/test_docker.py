"""The files that clusters are made of, as far as they can be judged without one."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
BIN = Path(sys.executable).parent


def loaded(name: str) -> Any:
    return yaml.safe_load((DOCKER / name).read_text())


RAY_JOB = loaded("kuberay/rayjob.yaml")["spec"]
KUBERAY = {
    "rayjob": RAY_JOB["rayClusterSpec"],
    "raycluster": loaded("kuberay/raycluster.yaml")["spec"],
}


@pytest.mark.parametrize("linter, file", [("hadolint", "Dockerfile"), ("shellcheck", "slurm.sh")])
def test_linters_find_nothing(linter: str, file: str) -> None:
    done = subprocess.run([BIN / linter, DOCKER / file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rays_launcher_takes_the_file_for_virtual_machines() -> None:
    config = loaded("ray_up.yaml")
    validate_config(prepare_config(copy.deepcopy(config)))
    config["idle_minutes"] = 10
    with pytest.raises(jsonschema.ValidationError, match="idle_minutes"):
        validate_config(prepare_config(config))


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("name", KUBERAY)
def test_pods_are_what_kubernetes_takes(name: str, version: str) -> None:
    spec = KUBERAY[name]
    for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
        pod = copy.deepcopy(group["template"])
        template = {"apiVersion": "v1", "kind": "PodTemplate", "template": pod}
        kubernetes_validate.validate(template, version, strict=True)
        pod["spec"]["containers"][0]["volumeMount"] = []
        with pytest.raises(kubernetes_validate.ValidationError, match="volumeMount"):
            kubernetes_validate.validate(template, version, strict=True)


@pytest.mark.parametrize("name", KUBERAY)
def test_on_kubernetes_a_token_is_asked_for_and_trials_run_on_spot_nodes_only(name: str) -> None:
    spec = KUBERAY[name]
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    assert f"ray=={spec['rayVersion']}" in pinned
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in spec["workerGroupSpecs"]:
        pod = group["template"]["spec"]
        [(label, value)] = pod["nodeSelector"].items()
        tolerated = {each["key"]: each for each in pod["tolerations"]}
        assert tolerated[label]["value"] == value
    pods = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for pod in (each["template"]["spec"] for each in pods):
        assert pod["securityContext"]["runAsNonRoot"]
        shared = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
        assert "/shared" in shared


def test_a_lost_head_is_a_new_cluster_that_runs_the_same_command() -> None:
    assert RAY_JOB["backoffLimit"] > 0
    assert RAY_JOB["submissionMode"] == "SidecarMode"  # the only one that never restarts a head
    assert (
        RAY_JOB["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["restartPolicy"] == "Never"
    )
    assert RAY_JOB["entrypoint"].startswith("latentgrid run /grid/grid.yaml ")


def test_without_a_profile_compose_starts_what_watches_and_nothing_else() -> None:
    services = loaded("compose.yaml")["services"]
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {"prometheus", "grafana"}
    assert {name: service.get("profiles") for name, service in services.items()} == {
        **dict.fromkeys(always),
        **dict.fromkeys(services.keys() - always, ["cluster"]),
    }


def test_compose_opens_ports_to_this_machine_only_and_holds_no_secret() -> None:
    services = loaded("compose.yaml")["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    on_the_host = {name for name, each in services.items() if each.get("network_mode") == "host"}
    assert on_the_host == {"dashboard", "prometheus", "grafana"}  # each listens on 127.0.0.1
    environment = {**services["head"]["environment"], **services["store"]["environment"]}
    for name in ("RAY_AUTH_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert environment[name] == f"${{{name}:-}}"
    listed = subprocess.run(
        ["git", "check-ignore", "docker/.env"], cwd=ROOT, capture_output=True, text=True
    )
    assert listed.stdout.strip() == "docker/.env"


PAGES = sorted((ROOT / "docs" / "cluster").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_on_clusters_starts_with_its_command_and_its_links_lead_somewhere(
    page: Path,
) -> None:
    title, empty, command = page.read_text().splitlines()[:3]
    assert title.startswith("# ") and not empty and command.startswith("    ")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert links
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link
