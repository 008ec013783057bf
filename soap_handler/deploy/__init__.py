"""Configurations for what stands around the service, made from the settings. An operator reads them before use."""

from __future__ import annotations

from soap_handler.deploy.containers import PublishedPorts, compose, dockerfile, kubernetes
from soap_handler.deploy.monitoring import grafana, prometheus
from soap_handler.deploy.systemd_unit import systemd
from soap_handler.deploy.tls_proxy import TlsProxy, caddy, nginx
from soap_handler.deploy.windows import iis, windows_service

__all__ = [
    "PublishedPorts",
    "TlsProxy",
    "caddy",
    "compose",
    "dockerfile",
    "grafana",
    "iis",
    "kubernetes",
    "nginx",
    "prometheus",
    "systemd",
    "windows_service",
]
