"""The files for Windows against schemas made from their documentation. Neither IIS nor WinSW runs on this machine."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest
from lxml import etree

from soap_handler.deploy import iis, windows_service
from soap_handler.errors import SettingsError
from tests.deploy.settings import POSTGRESQL, assert_no_secret, assert_settings, settings

SCHEMAS = Path(__file__).parent / "schemas"
ODD = PureWindowsPath('D:\\Söme & "folder" <1>\\soap-handler.toml')
MAKERS = {"web.config": iis, "winsw": windows_service}


def valid(name: str, text: str) -> etree._Element:
    """Return the root of a document that keeps to the schema of this name."""
    root = etree.fromstring(text.encode())
    etree.XMLSchema(etree.parse(SCHEMAS / f"{name}.xsd")).assertValid(root)
    return root


@pytest.mark.parametrize("name", MAKERS)
def test_each_file_keeps_to_its_schema(name: str) -> None:
    """Whatever the settings and the paths; and no secret gets in."""
    make = MAKERS[name]
    for told in (settings(), settings(POSTGRESQL, target="my.sms:handlers", workers=2, public_url="https://x.example")):
        text = make(told)
        valid(name, text)
        assert_no_secret(text)
    valid(name, make(settings(), ODD, ODD.with_name("soap-handler.exe")))


@pytest.mark.parametrize("name", MAKERS)
def test_the_schema_notices_what_breaks_it(name: str) -> None:
    """A test that cannot fail is a bug."""
    wrong = MAKERS[name](settings()).replace("startupTimeLimit", "startupLimit").replace("stoptimeout", "stopafter")
    with pytest.raises(etree.DocumentInvalid):
        valid(name, wrong)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("odd", ["C:\\x\n\\s.toml", "C:\\%x%\\s.toml"])
def test_a_path_that_would_mean_something_else_makes_no_file(name: str, odd: str) -> None:
    """A line end, or a variable of the environment."""
    with pytest.raises(SettingsError, match="cannot stand in a file for Windows"):
        MAKERS[name](settings(), PureWindowsPath(odd))


@pytest.mark.parametrize("name", MAKERS)
def test_a_path_that_would_end_a_comment_makes_no_file(name: str) -> None:
    """Both files name the configuration's folder in a comment."""
    with pytest.raises(SettingsError, match="cannot stand in a comment"):
        MAKERS[name](settings(target="sms:handlers"), PureWindowsPath("C:\\a --> b\\s.toml"))


@pytest.mark.parametrize("name", MAKERS)
def test_each_file_says_where_the_handlers_module_must_lie(name: str) -> None:
    """In the folder that PYTHONPATH names."""
    text = MAKERS[name](settings(target="my.sms:handlers"), ODD)
    assert "module my must lie in D:\\Söme" in text
    root = valid(name, text)
    variables = {str(each.get("name")): each.get("value") for each in root.iter("environmentVariable", "env")}
    assert variables["PYTHONPATH"] == str(ODD.parent)


def test_iis_hands_on_what_the_service_answers() -> None:
    """A fault of status 500 reaches the caller as it is; the limit of bodies is the service's."""
    root = valid("web.config", iis(settings(max_body=5000)))
    (errors,) = root.iter("httpErrors")
    assert errors.get("existingResponse") == "PassThrough"
    (limits,) = root.iter("requestLimits")
    assert limits.get("maxAllowedContentLength") == "5000"


def test_iis_says_at_which_port_to_listen() -> None:
    """By settings that exist; and the test form is off, since each caller seems to be on this machine."""
    root = valid("web.config", iis(settings()))
    variables = {str(each.get("name")): str(each.get("value")) for each in root.iter("environmentVariable")}
    assert variables["SOAP_HANDLER_SERVER__PORT"] == "%HTTP_PLATFORM_PORT%"
    assert variables["SOAP_HANDLER_SERVER__TEST_FORM"] == "off"
    assert_settings(variables)
    assert "Set server.public_url" in iis(settings())
    assert "Set server.public_url" not in iis(settings(public_url="https://sms.example.com"))


def test_a_slow_journal_is_waited_for_in_whole_minutes() -> None:
    """The schema of HttpPlatformHandler takes no seconds."""
    told = settings(login_failure_delay=100)
    (platform,) = valid("web.config", iis(told)).iter("httpPlatform")
    assert platform.get("requestTimeout") == "00:02:00"


def test_the_windows_service_has_the_time_to_drain() -> None:
    """WinSW sends Ctrl+C and kills after stoptimeout."""
    assert "<stoptimeout>35 sec</stoptimeout>" in windows_service(settings(drain_timeout=20))
    assert "server.workers must be 1" in windows_service(settings(workers=2))
