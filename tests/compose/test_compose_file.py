"""docker-compose.yml against the Compose Specification's schema, and against our own settings and files."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from perennial.platform import paths
from perennial.platform.settings import Settings, variable
from tests.paths import ROOT

SCHEMA = Path(__file__).with_name("compose-spec.json")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def test_the_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    """The schema is the Compose Specification's own, with `name`, which came after its version here."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["name"] = {"type": "string"}
    jsonschema.Draft201909Validator(schema).validate(compose)


def test_every_perennial_variable_is_a_setting(compose: dict[str, Any]) -> None:
    """A misspelt variable would be ignored in silence."""
    known = {variable(field) for field in Settings.model_fields}
    given = {
        name
        for service in compose["services"].values()
        for name in service.get("environment", {})
        if name.startswith("PERENNIAL_")
    }
    assert given
    assert given <= known


def test_services_wait_for_services_that_can_say_they_are_ready(compose: dict[str, Any]) -> None:
    """`service_healthy` needs a health check; `service_completed_successfully` a service that ends."""
    services = compose["services"]
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}, which is not there"
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[other]
            else:
                assert services[other].get("restart", "no") in {"no", "on-failure:6"}


def test_every_service_that_runs_on_says_whether_it_is_well(compose: dict[str, Any]) -> None:
    """A hung worker or relay is seen, and started again by whoever watches."""
    lasting = {name for name, each in compose["services"].items() if each.get("restart") == "unless-stopped"}
    checked = {name for name, each in compose["services"].items() if "healthcheck" in each}
    assert {"worker", "relay", "web", "database", "temporal"} <= lasting
    assert lasting - checked == {"temporal-ui"}, "the image of the UI has no command to check it with"


def test_no_service_may_gain_rights_and_ours_write_nowhere(compose: dict[str, Any]) -> None:
    """What breaks into a process finds a read-only disk and no capability."""
    for name, each in compose["services"].items():
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert each["cap_drop"] == ["ALL"], name
        if each["image"].startswith(("perennial:", "postgres:")):
            assert each["read_only"] is True, name
            assert each["tmpfs"][0] == "/tmp", name  # noqa: S108 - in a container of its own
        assert "privileged" not in each, name
    assert all("cap_add" not in each for each in compose["services"].values() if "build" in each)


def test_ports_are_open_to_this_machine_alone(compose: dict[str, Any]) -> None:
    """What is to be public stands behind a proxy that speaks TLS."""
    ports = [port for each in compose["services"].values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_image_has_a_version(compose: dict[str, Any]) -> None:
    """A floating tag changes under a running installation."""
    for name, service in compose["services"].items():
        image = service["image"]
        assert ":" in image, name
        assert image.startswith("perennial:") or not image.endswith(":latest"), name


def test_the_image_holds_every_room_the_worker_needs() -> None:
    """What the Dockerfile copies exists, and no package of ours stays behind."""
    copied = set(re.findall(r"^COPY (\S+) ", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages <= copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_wheel_holds_every_room_and_the_files_that_ship_with_it() -> None:
    """What `pip install .` puts in place is what the code looks for: packages, content, migrations, sample."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert set(wheel["packages"]) == packages
    assert wheel["force-include"] == {
        path.name: f"perennial/shipped/{path.name}" for path in (paths.CONTENT, paths.MIGRATIONS, paths.SAMPLE)
    }
