"""The files for containers: by hadolint, by the schemas of Compose and Kubernetes, and by running what they run."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from pydantic import SecretStr

from soap_handler.deploy import TlsProxy, compose, dockerfile, kubernetes, nginx
from soap_handler.settings import AccountSettings, JournalSettings, ServerSettings, Settings
from soap_handler.settings.sinks import AmqpSettings, SqlSettings
from tests.deploy.settings import POSTGRESQL, assert_no_secret, assert_settings, settings
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

HADOLINT = Path(sys.executable).with_name("hadolint")


def instructions(text: str) -> dict[str, list[str]]:
    """Return the arguments of each instruction of a Dockerfile, by its name."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    found: dict[str, list[str]] = {}
    for name, argument in re.findall(r"^([A-Z]+) (.*)$", lines, re.MULTILINE):
        found.setdefault(name, []).append(argument)
    return found


@pytest.mark.parametrize("target", [None, "sms:handlers", "lost:handlers"])
def test_hadolint_finds_nothing_wrong(tmp_path: Path, target: str | None) -> None:
    """Without one ignored rule."""
    (tmp_path / "sms.py").touch()
    (tmp_path / "Dockerfile").write_text(dockerfile(settings(target=target), tmp_path))
    command = [str(HADOLINT), "--no-color", "--failure-threshold", "style", str(tmp_path / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_container_runs_as_a_user_without_rights_and_ends_by_sigterm() -> None:
    """Process 1 is tini, which passes signals on; the image has a state folder and no secret."""
    text = dockerfile(settings(POSTGRESQL, port=0))
    said = instructions(text)
    assert said["USER"] == ["10001:10001"]
    assert said["ENTRYPOINT"] == ['["tini", "--", "soap-handler"]']
    assert said["STOPSIGNAL"] == ["SIGTERM"]
    assert said["EXPOSE"] == ["8080"]
    assert_no_secret(text)
    assert_settings(dict(pair.split("=", 1) for pair in shlex.split(said["ENV"][0])))


def test_the_handlers_module_gets_into_the_image(tmp_path: Path) -> None:
    """A file or a package beside the configuration; what is elsewhere is named, to be installed."""
    assert "No handlers of your own" in dockerfile(settings(target="soap_handler.sinks.stdout:handlers"), tmp_path)
    assert "\n# lost is not beside the configuration" in dockerfile(settings(target="lost:x"), tmp_path)
    (tmp_path / "sms.py").touch()
    (tmp_path / "my").mkdir()
    assert "\nCOPY sms.py /opt/handlers/\n" in dockerfile(settings(target="sms:handlers"), tmp_path)
    assert "\nCOPY my /opt/handlers/my\n" in dockerfile(settings(target="my.sms:handlers"), tmp_path)


def test_the_image_has_the_extras_that_the_sinks_need() -> None:
    """The driver of each database and broker that the settings name."""
    sinks = {
        "queue": AmqpSettings.model_validate({"type": "amqp", "url": "amqp://x", "exchange": "sms"}),
        "table": SqlSettings.model_validate({"type": "sql", "url": "mysql+pymysql://u:p@h/d", "table": "sms"}),
    }
    text = dockerfile(settings().model_copy(update={"sink": sinks}))
    assert '"${wheel}[amqp,mysql,postgresql]"' in text


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer each request with this status, on a free port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/live" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def healthy(port: int) -> int:
    """Run the health check of an image whose service listens there; return its exit code."""
    (check,) = instructions(dockerfile(settings(port=port)))["HEALTHCHECK"]
    _python, *arguments = json.loads(check.partition("CMD ")[2])
    return subprocess.run([sys.executable, "-S", *arguments], capture_output=True, check=False).returncode


def test_the_health_check_asks_whether_the_service_lives() -> None:
    """0 is healthy; 1, another status or nothing there, is not. Docker knows no other code."""
    with answering(200) as well:
        assert healthy(well) == 0
    with answering(503) as ill:
        assert healthy(ill) == 1
    assert healthy(well) == 1  # nothing listens there any more


def test_the_health_check_finds_a_service_healthy(tmp_path: Path) -> None:
    """With ``server.health``, which the file sets; without it the check would restart a good container for ever."""
    told = Settings(
        server=ServerSettings(port=0, health=True),
        journal=JournalSettings(url=SecretStr(f"sqlite:///{tmp_path}/journal.db")),
        account=(AccountSettings(reference="EX0012345", anonymous=True),),
    )
    with serving(told) as service:
        assert healthy(service.port) == 0


def composed(told: Settings) -> Any:
    return yaml.safe_load(compose(told))


def test_the_compose_file_keeps_to_the_schema() -> None:
    """That of the Compose specification."""
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    for told in (settings(), settings(POSTGRESQL, public_url="https://sms.example.com:8443", drain_timeout=60)):
        jsonschema.validate(composed(told), schema)
        assert_no_secret(compose(told))


def test_docker_compose_reads_the_file(tmp_path: Path) -> None:
    """``docker compose config``, where it is there; it needs no engine."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    command = ["docker", "compose"] if shutil.which("docker") and plugin else [shutil.which("docker-compose") or ""]
    if not command[0]:
        pytest.skip("docker compose is not installed on this machine")
    (tmp_path / "compose.yaml").write_text(compose(settings()))
    done = subprocess.run([*command, "config", "--quiet"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_in_compose_the_service_can_write_nothing_and_reaches_what_it_needs() -> None:
    """Each name that one part uses of another is there: services, networks, secrets, the proxy's address."""
    made = composed(settings(drain_timeout=20))
    service, proxy = made["services"]["soap-handler"], made["services"]["nginx"]
    assert (service["read_only"], service["cap_drop"], service["stop_grace_period"]) == (True, ["ALL"], "35s")
    assert "ports" not in service  # it is reached through nginx alone
    assert_settings(service["environment"])
    trusted = json.loads(service["environment"]["SOAP_HANDLER_SERVER__TRUSTED_PROXIES"])
    assert trusted == [proxy["networks"]["front"]["ipv4_address"]]
    for each in made["services"].values():
        assert set(each.get("secrets", [])) <= made["secrets"].keys()
        assert set(each["networks"]) <= made["networks"].keys()
        assert set(each.get("depends_on", {})) <= made["services"].keys()


def test_in_compose_nginx_passes_on_to_the_service() -> None:
    """The command that the file names makes a configuration for that service, and listens where the file publishes."""
    told = settings(public_url="https://sms.example.com:8443")
    assert "deploy nginx --upstream soap-handler:8080" in compose(told)
    text = nginx(told, TlsProxy(upstream="soap-handler:8080"))
    assert "server soap-handler:8080;" in text
    assert "listen 8443 ssl;" in text
    assert composed(told)["services"]["nginx"]["ports"] == ["8443:8443", "80:80"]


def manifests(told: Settings, **options: str) -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all(kubernetes(told, **options)) if each}


@pytest.mark.parametrize("url", ["sqlite:///soap-handler.db", POSTGRESQL])
@pytest.mark.parametrize("release", ["1.27", "1.32", None], ids=["oldest", "1.32", "newest"])
def test_kubernetes_takes_the_manifests(url: str, release: str | None) -> None:
    """By the strict schemas of several releases, which know no other fields."""
    version = release or kubernetes_validate.latest_version()
    made = manifests(settings(url))
    assert {"Deployment", "Service", "PodDisruptionBudget"} <= made.keys()
    for each in made.values():
        kubernetes_validate.validate(each, version, strict=True)


def test_the_schema_notices_what_breaks_it() -> None:
    """A test that cannot fail is a bug."""
    wrong = manifests(settings())["Deployment"]
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["httpget"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.32", strict=True)


def test_on_postgresql_there_are_several_replicas_and_the_url_is_a_secrets() -> None:
    """They share the work; a disruption takes one of them at a time."""
    text = kubernetes(settings(POSTGRESQL), "registry.example.com/soap-handler:1")
    assert_no_secret(text)
    made = manifests(settings(POSTGRESQL), image="registry.example.com/soap-handler:1")
    assert made["Deployment"]["spec"]["replicas"] == 2
    assert made["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/soap-handler:1"
    (variable,) = container["env"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "soap-handler", "key": "journal-url"}
    assert_settings({variable["name"]: "sqlite:////x.db"})


def test_on_sqlite_there_is_one_replica_on_a_volume() -> None:
    """It is replaced and never doubled: the volume is of one pod."""
    made = manifests(settings())
    assert made["Deployment"]["spec"]["replicas"] == 1
    assert made["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    claim = made["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    pod = made["Deployment"]["spec"]["template"]["spec"]
    claims = [each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each]
    assert claims == [claim["metadata"]["name"]]


def test_a_pod_can_write_to_its_volumes_alone_and_has_the_time_to_drain() -> None:
    """No root, no rights, a root file system that is read only; it drains after it gets no new connections."""
    pod = manifests(settings(drain_timeout=20))["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["terminationGracePeriodSeconds"] == 20 + 15 + 5
    assert {each["mountPath"] for each in container["volumeMounts"]} == {
        "/etc/soap-handler",
        "/var/lib/soap-handler",
        "/tmp",  # noqa: S108 - it is compared
    }
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/health/live",
        "liveness": "/health/live",
        "readiness": "/health/ready",
    }
    assert {probe["port"] for probe in probes.values()} == {container["ports"][0]["name"]}
