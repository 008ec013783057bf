"""The guard: runs before each view and refuses what may not reach it. What is not named here needs a login.

In this order: the Host header, other origins, the login, the role, the CSRF token. A view is never run first.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from flask import Response, make_response, redirect, render_template, request, session, url_for

from soap_handler import telemetry
from soap_handler.console.access.origins import READS, is_from_elsewhere, is_known_name
from soap_handler.console.access.sessions import SESSION_ID, present_id
from soap_handler.console.access.visitors import access, may_operate, visitor

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

PROBES: Final = frozenset({"for_programs.live", "for_programs.ready"})
"""Views for each caller: they say whether the service works, and nothing of what is in it."""
METRICS: Final = "for_programs.metrics"
"""The view that some addresses may read without a login."""
LOGIN: Final = "access.login"
"""The view of the form to log in with."""
_LOGINS: Final = frozenset({LOGIN, "access.log_in"})
_LOGOUT: Final = "access.logout"
TOKEN: Final = "csrf"  # noqa: S105 - the name of a field
"""The form field of the CSRF token."""
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def guard() -> ResponseReturnValue | None:
    """Answer the present request where it may not reach its view; ``None`` lets it through."""
    endpoint = request.endpoint or ""
    if endpoint in PROBES:
        return None
    return _refuse_other_sites() or _ask_who_it_is(endpoint) or _refuse_changes(endpoint)


def _refuse_other_sites() -> ResponseReturnValue | None:
    settings = access().settings
    if settings.is_local and not is_known_name([*settings.names, settings.host]):
        return refused(421, "host", "This name of the console is not known. Add it to console.names.")
    if is_from_elsewhere(access().callers, settings.names):
        return refused(403, "origin", "A page of another web site made this request.")
    return None


def _ask_who_it_is(endpoint: str) -> ResponseReturnValue | None:
    is_free = endpoint in _LOGINS or _is_static(endpoint) or (endpoint == METRICS and access().may_read_metrics())
    return None if is_free or visitor() is not None else _ask_to_log_in(endpoint)


def _refuse_changes(endpoint: str) -> ResponseReturnValue | None:
    """Refuse whatever is not a read, but to operators, whose own page sent it."""
    if request.method in READS:
        return None
    if endpoint not in {*_LOGINS, _LOGOUT} and not may_operate():
        return refused(403, "role", "A viewer may look, and change nothing. This needs the role operator.")
    return _checked_token()


def token() -> str:
    """Return the CSRF token of the present request, for a hidden field. Also a function of the templates."""
    return access().sessions.token(present_id(), _name())


def protect(response: Response) -> Response:
    """Put the security headers on an answer."""
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def refused(status: int, reason: str, text: str) -> ResponseReturnValue:
    """Return the answer to a request that is refused, and log it once a minute for each reason and caller."""
    caller = access().caller()
    if times := access().log_throttle.due((caller, reason)):
        telemetry.emit("console_refused", reason=reason, caller=caller, user=_name() or None, times=times)
    if _is_for_a_program():
        return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
    return render_template("access/refused.html", text=text), status


def _checked_token() -> ResponseReturnValue | None:
    """Refuse a form without the token of this browser's session."""
    given = request.form.get(TOKEN, "")
    expected = access().sessions.token(str(session.get(SESSION_ID, "")), _name())
    if SESSION_ID in session and hmac.compare_digest(given.encode(), expected.encode()):
        return None
    return refused(403, "token", "The form is too old, or not from here. Go back, load the page again, and repeat it.")


def _ask_to_log_in(endpoint: str) -> ResponseReturnValue:
    if endpoint == METRICS:
        return _refuse_metrics()
    if not access().settings.user:
        return refused(401, "login", _no_user())
    if request.method in READS and not _is_for_a_program():
        return redirect(url_for(LOGIN, next=request.full_path.removesuffix("?")), 303)
    return refused(401, "login", "You are not logged in.")


def _refuse_metrics() -> ResponseReturnValue:
    if access().settings.metrics_token is None:
        text = "This address may not read the metrics. Add it to console.metrics_allow_from, or set a token."
        return refused(403, "metrics", text)
    answer = make_response(refused(401, "metrics", "The metrics need console.metrics_token, as Authorization: Bearer."))
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _no_user() -> str:
    if access().settings.is_open:
        return "Through a proxy the console needs users. Add a [[console.user]] table for each."
    return "The proxy named no user (console.sso_header), or it is none of console.trusted_proxies."


def _is_static(endpoint: str) -> bool:
    return endpoint == "static" or endpoint.endswith(".static")


def _is_for_a_program() -> bool:
    """Whether the answer is not shown as a page: a script's fetch, a scraper."""
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode != "navigate" if mode else "text/html" not in request.headers.get("Accept", "")


def _name() -> str:
    found = visitor()
    return found.name if found else ""
