"""The console's WSGI application, by Flask: health and metrics for programs, pages for operators.

Flask is loaded only where the console is on. Nothing of it is on the way of a push.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flask import Blueprint, Flask, Response, jsonify, request

from soap_handler.console.access.views import install as install_access
from soap_handler.console.access.visitors import access, access_of, visitor
from soap_handler.console.actions import actions
from soap_handler.console.pages.assembly import install as install_pages
from soap_handler.console.parts import EXTENSION, Parts, parts

if TYPE_CHECKING:
    from soap_handler.console.exposition import Exposition
    from soap_handler.console.health import Health
    from soap_handler.journal import Journal
    from soap_handler.settings import Settings

_NOT_READY: Final = 503

for_programs: Final = Blueprint("for_programs", __name__)


def build(settings: Settings, journal: Journal, health: Health, exposition: Exposition) -> Flask:
    """Build the application. It neither owns nor closes what it is given."""
    app = Flask("soap_handler.console")
    app.extensions[EXTENSION] = Parts(settings, journal, health, exposition)
    install_access(app, settings)
    app.register_blueprint(actions)
    app.register_blueprint(for_programs)
    install_pages(app)
    app.after_request(_not_kept)
    return app


def take_up(app: Flask, settings: Settings) -> None:
    """Take up the settings of a reload: accounts, users, roles and tokens, from the next request on."""
    here: Parts = app.extensions[EXTENSION]
    app.extensions[EXTENSION] = replace(here, settings=settings)
    here.exposition.expect(account.reference for account in settings.account)
    access_of(app).take_up(settings)


@for_programs.get("/health/live")
def live() -> Response:
    """Answer 200: the process that would answer a probe lives."""
    return jsonify(status="live")


@for_programs.get("/health/ready")
def ready() -> tuple[Response, int]:
    """Answer 200 where a push would be taken now, else 503 with the reasons.

    What a database said has its address and user in it, which is not for each caller.
    """
    readiness = parts().health.readiness()
    if readiness.is_ready:
        return jsonify(status="ready", reasons=[]), 200
    may_read_all = visitor() is not None or access().may_read_metrics()
    reasons = [each if may_read_all else each.partition(":")[0] for each in readiness.reasons]
    return jsonify(status="not ready", reasons=reasons), _NOT_READY


@for_programs.get("/metrics")
def metrics() -> Response:
    """Answer with the metrics of all workers, as OpenMetrics where the Accept header asks for that."""
    body, content_type = parts().exposition.render(request.headers.get("Accept", ""))
    return Response(body, content_type=content_type)


def _not_kept(response: Response) -> Response:
    """Have no cache keep an answer: each is of this moment."""
    response.headers["Cache-Control"] = "no-store"
    return response
