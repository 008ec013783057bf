"""Configurations for nginx, Caddy and systemd, made from the settings. An operator reads them before use."""

from __future__ import annotations

from soap_handler.deploy.systemd_unit import systemd
from soap_handler.deploy.tls_proxy import TlsProxy, caddy, nginx

__all__ = ["TlsProxy", "caddy", "nginx", "systemd"]
