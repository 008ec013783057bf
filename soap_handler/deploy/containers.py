"""Files for containers: a Dockerfile, a Compose file with PostgreSQL and nginx, and manifests for Kubernetes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import make_url

from soap_handler.deploy.handler_module import found_in, handler_module
from soap_handler.deploy.limits import open_files, stop_seconds
from soap_handler.deploy.template import fill
from soap_handler.deploy.tls_proxy import public_address
from soap_handler.faces.base import PATH
from soap_handler.faces.xml_push import PATH as PUSH_PATH

if TYPE_CHECKING:
    from soap_handler.settings import Settings

_UID: Final = 10001  # of a user that no image and no host has
_CONFIG_FOLDER: Final = "/etc/soap-handler"
_STATE: Final = "/var/lib/soap-handler"
_JOURNAL: Final = f"sqlite:///{_STATE}/soap-handler.db"
_MODULES: Final = "/opt/handlers"
_PORT: Final = 8080  # in place of 0, which would be another one at each start
_SUBNET: Final = "172.30.83.0/24"
_PROXY_ADDRESS: Final = "172.30.83.10"
_DEREGISTER_SECONDS: Final = 5  # in which Kubernetes stops sending connections to a pod that ends
_EXTRA_OF: Final = {"mssql": ("mssql",), "mysql": ("mysql",), "mariadb": ("mysql",)}
_SEVERAL: Final = 2  # replicas, where the journal is on PostgreSQL
_HEALTHY: Final = (
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', {port}, timeout=4); "
    "c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"
)
_URL_BY_REFERENCE: Final = """\
env:
            - name: SOAP_HANDLER_JOURNAL__URL
              valueFrom:
                secretKeyRef:
                  name: soap-handler
                  key: journal-url"""
_ON_THE_VOLUME: Final = f"""\
env:
            - name: SOAP_HANDLER_JOURNAL__URL
              value: {_JOURNAL}"""
_CLAIM: Final = """\
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: soap-handler
  labels:
    app.kubernetes.io/name: soap-handler
spec:
  accessModes:
    - ReadWriteOncePod # of a block device: SQLite's locks do not hold on NFS
  resources:
    requests:
      storage: 10Gi
"""


@dataclass(frozen=True, slots=True)
class PublishedPorts:
    """Ports of nginx in the Compose file, where ``server.public_url`` does not name the first."""

    https: int = 443
    http: int = 80


def dockerfile(settings: Settings, folder: Path = Path()) -> str:
    """Return a Dockerfile. ``folder`` is where the configuration lies, and the handlers' module beside it."""
    port = _port(settings)
    module = handler_module(settings)
    there = found_in(folder, module) if module else None
    lost = [f"{module} is not beside the configuration: have it installed or copied."] if module and not there else []
    return fill(
        "Dockerfile",
        **_common(settings),
        extras=f"[{','.join(_extras(settings))}]",
        modules=_MODULES,
        handlers=_copied(module, there),
        environment="" if _is_on_postgresql(settings) else f" \\\n#     --env SOAP_HANDLER_JOURNAL__URL={_JOURNAL}",
        health=json.dumps(["python", "-c", _HEALTHY.format(port=port)]),
        notes=_notes(lost),
    )


def compose(settings: Settings, ports: PublishedPorts = PublishedPorts()) -> str:
    """Return a Compose file: the service, PostgreSQL for its journal, and nginx before it."""
    return fill(
        "compose.yaml",
        **_common(settings),
        files=open_files(settings.server),
        subnet=_SUBNET,
        proxy_address=_PROXY_ADDRESS,
        https_port=public_address(settings.server)[1] or ports.https,
        http_port=ports.http,
        notes=_notes([] if settings.server.public_url else ["Set server.public_url to the https address."]),
    )


def kubernetes(settings: Settings, image: str = "soap-handler") -> str:
    """Return manifests: Deployment, Service and PodDisruptionBudget; on SQLite a claim of a volume too."""
    several = _is_on_postgresql(settings)
    notes = [] if several else ["The journal is on SQLite, so there is one replica. Several need PostgreSQL."]
    if not settings.server.trusted_proxies:
        notes.append(
            "Set server.trusted_proxies to the addresses of the Ingress, or every caller will seem to be that."
        )
    common = _common(settings)
    return fill(
        "kubernetes.yaml",
        **{**common, "stop": int(str(common["stop"])) + _DEREGISTER_SECONDS},
        image=json.dumps(image),
        replicas=_SEVERAL if several else 1,
        strategy="type: RollingUpdate\n    rollingUpdate:\n      maxUnavailable: 0" if several else "type: Recreate",
        environment=_URL_BY_REFERENCE if several else _ON_THE_VOLUME,
        secret_literal=" \\\n#     --from-file=journal-url" if several else "",
        volume="emptyDir: {}" if several else "persistentVolumeClaim:\n            claimName: soap-handler",
        claim="" if several else _CLAIM,
        deregister=_DEREGISTER_SECONDS,
        paths=f"{PATH} and {PUSH_PATH}",
        notes=_notes(notes),
    )


def _common(settings: Settings) -> dict[str, object]:
    return {
        "uid": _UID,
        "port": _port(settings),
        "stop": stop_seconds(settings.server),
        "config_folder": _CONFIG_FOLDER,
        "state": _STATE,
    }


def _port(settings: Settings) -> int:
    return settings.server.port or _PORT


def _is_on_postgresql(settings: Settings) -> bool:
    return _backend(settings.journal.url.get_secret_value()) == "postgresql"


def _backend(url: str) -> str:
    return make_url(url).get_backend_name()


def _extras(settings: Settings) -> list[str]:
    """Return the extras of the package that the journal and the sinks need. PostgreSQL is what Compose brings along."""
    found = {"postgresql"}
    for sink in settings.sink.values():
        if sink.type == "amqp":
            found.add("amqp")
        elif sink.type == "sql":
            found.update(_EXTRA_OF.get(_backend(sink.url.get_secret_value()), ()))
    return sorted(found)


def _copied(module: str | None, there: str | None) -> str:
    if module is None:
        return "# No handlers of your own are named by the settings."
    if there is None:
        return f"# COPY {module}.py {_MODULES}/"
    return f"COPY {there} {_MODULES}/" + (there if there == module else "")


def _notes(sentences: list[str]) -> str:
    return "\n".join(f"# {each}" for each in sentences) or "#"
