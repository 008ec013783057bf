"""Views of access: login, logout, and the audit trail. ``install`` puts all of access into an application."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, session, url_for

from soap_handler import telemetry
from soap_handler.console.access.guard import guard, protect, token
from soap_handler.console.access.logins import LoginRefused
from soap_handler.console.access.sessions import SESSION_ID, Cookies
from soap_handler.console.access.visitors import EXTENSION, Access, access, may_operate, may_read_bodies, visitor
from soap_handler.console.parts import parts, row_number
from soap_handler.journal.operator.audit import trail

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue

    from soap_handler.settings import Settings

_FORM_BYTES: Final = 262_144
_ROWS: Final = 100  # of the audit trail on a page
_SEE_OTHER: Final = 303

views: Final = Blueprint("access", __name__, template_folder="templates")


def install(app: Flask, settings: Settings) -> None:
    """Guard an application: each of its views, present or registered later, needs a login if ``guard`` names it not."""
    known = app.extensions[EXTENSION] = Access(settings)
    app.secret_key = secrets.token_bytes()
    app.config["MAX_CONTENT_LENGTH"] = _FORM_BYTES
    app.session_interface = Cookies(lambda: known.callers)
    app.before_request(guard)
    app.after_request(protect)
    app.jinja_env.globals.update(
        csrf_token=token,
        may_operate=may_operate,
        may_read_bodies=may_read_bodies,
        visitor=visitor,
    )
    app.register_blueprint(views)


def local_path(target: str | None) -> str:
    """Return a path of the console to go on to; any other target, such as another web site, becomes the overview."""
    text = target or ""
    # Browsers read a backslash as a slash, and leave out tabs and line ends.
    is_path = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_path and urlsplit(text).path not in {"/login", "/logout"} else "/"


@views.get("/login")
def login() -> ResponseReturnValue:
    """Show the form to log in with."""
    found = visitor()
    if found is not None:
        return redirect(local_path(request.args.get("next")), _SEE_OTHER)
    return _login_page("")


@views.post("/login")
def log_in() -> ResponseReturnValue:
    """Begin a session where name and password are right. It has a new id, whatever the browser had before."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    caller = access().caller()
    try:
        access().logins.check(name, password, caller)
    except LoginRefused as refusal:
        if times := access().log_throttle.due((caller, "password")):
            telemetry.emit("console_login_refused", caller=caller, times=times)
        return _refused_page(refusal.wait)
    access().sessions.end(str(session.get(SESSION_ID, "")))
    session.clear()
    session[SESSION_ID] = access().sessions.begin(name)
    telemetry.emit("console_login", user=name, caller=caller)
    return redirect(local_path(request.form.get("next")), _SEE_OTHER)


@views.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session."""
    access().sessions.end(str(session.get(SESSION_ID, "")))
    session.clear()
    return redirect(url_for("access.login"), _SEE_OTHER)


@views.get("/audit")
def audit() -> ResponseReturnValue:
    """Show who acted on which notifications, latest first."""
    journal = parts().journal
    rows = trail(journal, _ROWS + 1, request.args.get("before", type=row_number))
    older = rows[_ROWS - 1].number if len(rows) > _ROWS else None
    return render_template("access/audit.html", rows=rows[:_ROWS], older=older, now=journal.now())


def _refused_page(wait: int) -> ResponseReturnValue:
    if not wait:
        return _login_page("The name or the password is wrong."), 401
    text = f"Too many wrong logins came from this address. Try again in {wait} s."
    return _login_page(text), 429, {"Retry-After": str(wait)}


def _login_page(problem: str) -> str:
    has_users = bool(access().settings.user)
    return render_template(
        "access/login.html", problem=problem, has_users=has_users, next=local_path(request.values.get("next"))
    )
