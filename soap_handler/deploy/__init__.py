"""Configurations for what stands around the service: made from the settings, to be read before they are used."""

from __future__ import annotations

from soap_handler.deploy.front import Front, caddy, nginx
from soap_handler.deploy.unit import systemd

__all__ = ["Front", "caddy", "nginx", "systemd"]
