"""An example or two of each command, which its help shows. A test holds that none is missing and that each is valid."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final = {
    "": (
        "soap-handler demo                    see it work on this machine",
        "soap-handler dev sms:handlers        try your handlers, reloaded on change",
        "soap-handler init                    write a configuration to fill in",
        "soap-handler serve                   run the service",
    ),
    "demo": ("soap-handler demo", "soap-handler demo --messages 5000 --seed 7"),
    "dev": ("soap-handler dev sms:handlers", "soap-handler dev --throwaway --rate 2"),
    "serve": ("soap-handler serve", "soap-handler serve --config /etc/soap-handler.toml --workers 4"),
    "status": ("soap-handler status", "soap-handler status --watch"),
    "init": ("soap-handler init", "soap-handler init --sink webhook --path crm.toml"),
    "check": ("soap-handler check", "soap-handler check --inbox --sinks --json"),
    "doctor": ("soap-handler doctor", "soap-handler doctor --url https://sms.example.com/AccountEventHandler"),
    "explain": ("soap-handler explain captured.xml", "soap-handler explain - --path /push/token < captured.xml"),
    "push": (
        'soap-handler push MessageReceived --originator 447700900123 --body "Hello"',
        "soap-handler push MessageError --url http://127.0.0.1:9000/AccountEventHandler",
    ),
    "simulate": (
        "soap-handler simulate --messages 100 --rate 20 --duplicates 0.1",
        "soap-handler simulate --handler-url http://127.0.0.1:9000/AccountEventHandler",
    ),
    "hash-password": ("soap-handler hash-password",),
    "reconcile": ("soap-handler reconcile --dry-run", "soap-handler reconcile --account EX0012345"),
    "erase": ("soap-handler erase +447700900123 --dry-run", "soap-handler erase --list"),
    "migrate": ("soap-handler migrate --config /etc/soap-handler.toml",),
    "docs": ("soap-handler docs", "soap-handler docs operations"),
    "journal": ("soap-handler journal list --state dead", "soap-handler journal backup copy.db"),
    "journal list": (
        "soap-handler journal list --state dead --limit 100",
        "soap-handler journal list --number +447700900123 --since 10:00 --until 10:05",
    ),
    "journal tail": ("soap-handler journal tail --lines 20",),
    "journal show": ("soap-handler journal show 9f1b2c3d",),
    "journal retry": ('soap-handler journal retry --all --error "HTTP 503" --dry-run',),
    "journal replay": ("soap-handler journal replay --all --number 07700900123 --since 2h --dry-run",),
    "journal give-up": ('soap-handler journal give-up 9f1b2c3d --reason "the order was cancelled"',),
    "journal release": ("soap-handler journal release --all --account EX0012345",),
    "journal audit": ("soap-handler journal audit --limit 20",),
    "journal reconciliations": ("soap-handler journal reconciliations --limit 5",),
    "journal backup": ("soap-handler journal backup /var/backups/soap-handler.db",),
    "journal restore": ("soap-handler journal restore /var/backups/soap-handler.db",),
    "sink": ("soap-handler sink test crm",),
    "sink test": ("soap-handler sink test crm",),
    "sink create-table": ("soap-handler sink create-table inbox", "soap-handler sink create-table inbox --run"),
    "deploy": ("soap-handler deploy nginx > /etc/nginx/conf.d/sms.conf",),
    "deploy nginx": ("soap-handler deploy nginx > /etc/nginx/conf.d/sms.conf",),
    "deploy caddy": ("soap-handler deploy caddy > /etc/caddy/Caddyfile",),
    "deploy systemd": ("soap-handler deploy systemd > /etc/systemd/system/soap-handler.service",),
    "deploy docker": ("soap-handler deploy docker > Dockerfile",),
    "deploy compose": ("soap-handler deploy compose > compose.yaml",),
    "deploy kubernetes": ("soap-handler deploy kubernetes | kubectl apply -f -",),
    "deploy prometheus": ("soap-handler deploy prometheus > /etc/prometheus/rules/soap-handler.yaml",),
    "deploy grafana": ("soap-handler deploy grafana > dashboard.json",),
    "deploy iis": ("soap-handler deploy iis > web.config",),
    "deploy windows-service": ("soap-handler deploy windows-service > SoapHandler.xml",),
}
"""By command, without the name of the program; the empty one is the program itself."""
