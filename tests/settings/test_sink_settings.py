"""Sinks and routes in the settings: each wrong value is named with what was expected, and no secret is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import SettingsError
from soap_handler.settings import load_settings
from soap_handler.settings.sinks import SINKS, SqlSettings
from tests.settings.test_settings import GOOD, load, problems

if TYPE_CHECKING:
    from pathlib import Path

HOOK = 'type = "webhook"\nurl = "https://x.example/hidden"\n'
ROUTE = '[[route]]\nsink = "crm"\n'

WRONG = [
    (
        'type = "carrier"',
        "sink.crm.type is missing, or no type of a sink; expected one of webhook, soap, command, amqp",
    ),
    ("", "sink.crm.type is missing, or no type of a sink; expected one of webhook"),
    (HOOK + "concurrency = 0", "sink.crm.concurrency is 0; expected at least 1."),
    (HOOK + "concurrency = 257", "sink.crm.concurrency is 257; expected at most 256."),
    (HOOK + 'timeout = "long"', "sink.crm.timeout is 'long'; expected a number."),
    (HOOK + 'give_up_after = "3 days"', "sink.crm.give_up_after is '3 days'; expected seconds, or a text such as"),
    (HOOK + "max_attempts = 0", "sink.crm.max_attempts is 0; expected at least 1."),
    (HOOK + "refusals_allowed = 0", "sink.crm.refusals_allowed is 0; expected at least 1."),
    (HOOK + 'format = "envelope"', "sink.crm.format is 'envelope'; expected 'json' or 'cloudevents'."),
    (HOOK + "batch = 1001", "sink.crm.batch is 1001; expected at most 1000."),
    (HOOK + "batch = 500\nconcurrency = 4", "sink.crm.batch is 500; expected batch times concurrency at most 1000"),
    (HOOK + "bacth = 5", "sink.crm.bacth is not a setting; perhaps batch is meant."),
    (HOOK + 'secrets = [{ secret = "hidden" }]', "secrets[0].secret is of another form (not shown); expected whsec_"),
    (
        HOOK + 'headers = [{ name = "X Y", value = "v" }]',
        "headers[0].name is 'X Y'; expected the name of an HTTP header.",
    ),
    (HOOK + 'ca_bundle = "/nowhere"', "sink.crm.ca_bundle is '/nowhere'; expected the path of a file that exists."),
    (HOOK + 'client_key = "/dev/null"', "sink.crm.client_key is '/dev/null'; expected client_certificate beside it."),
    (HOOK + 'proxy = "squid"', "sink.crm.proxy is 'squid'; expected an address that starts with http:// or https://."),
    (
        HOOK + 'username = "u"\nbearer_token = "hidden"',
        "sink.crm.bearer_token is of another form (not shown); expected either bearer_token or username.",
    ),
    ('type = "webhook"', "sink.crm.url is missing; expected it, or url_file."),
    (
        'type = "webhook"\nurl = "ftp://hidden/x"',
        "url is of another form (not shown); expected an address that starts with http:// or https://.",
    ),
    (
        'type = "soap"\nurl = "https://x.example/"\npassword = "hidden"',
        "sink.crm.username is missing; expected some text",
    ),
    ('type = "soap"\nurl = "https://x.example/"\nusername = "u"', "sink.crm.password is missing; expected it, or"),
    ('type = "command"\ncommand = "rm -rf"', "sink.crm.command is 'rm -rf'; expected a list."),
    ('type = "command"\ncommand = []', "sink.crm.command is empty; expected"),
    (
        'type = "amqp"\nurl = "http://hidden@x.example/"',
        "url is of another form (not shown); expected an address that starts with amqp:// or amqps://.",
    ),
    (
        'type = "amqp"\nurl = "amqp://x.example/"\nrouting_key = "{acount}"',
        "expected in braces only account, key, kind.",
    ),
    ('type = "sql"\nurl = "hidden"', "sink.crm.url is of another form (not shown); expected a SQLAlchemy URL such as"),
    ('type = "sql"\nurl = "sqlite:///x"\ncolumns = { bdy = "b" }', "expected no 'bdy', but some of account, body,"),
    ('type = "sql"\nurl = "sqlite:///x"\ncolumns = { body = "b" }', "expected a column for key, which makes"),
    ('type = "files"', "sink.crm.directory is missing; expected some text."),
    (
        'type = "files"\ndirectory = "d"\nname = "a.json"',
        "is 'a.json'; expected a file name without folder, with {digest}",
    ),
    (
        'type = "files"\ndirectory = "d"\nname = "{digest}{nme}"',
        "expected in braces only account, digest, extension, id",
    ),
    (
        'type = "files"\ndirectory = "d"\nname = "{{digest}}.json"',
        "expected single braces around a name.",
    ),
    (
        'type = "files"\ndirectory = "d"\nname = "{{kind}}-{digest}.json"',
        "expected single braces around a name.",
    ),
    (
        HOOK + 'headers = [{ name = "X-Key", value = "hidden…" }]',
        "headers[0].value is of another form (not shown); expected text of one line, of ASCII characters.",
    ),
    (
        HOOK + 'bearer_token = "hiddén"',
        "bearer_token is of another form (not shown); expected text of one line, of ASCII characters.",
    ),
    (
        'type = "amqp"\nurl = "amqp://x.example/"\ndeclare = true\nqueue = "q"',
        "sink.crm.queue is 'q'; expected exchange beside it, or a routing_key that is the queue's name.",
    ),
    ('type = "stdout"\nurl = "x"', "sink.crm.url is not a setting; expected one of"),
]


@pytest.mark.parametrize(("table", "words"), WRONG)
def test_a_wrong_setting_of_a_sink_is_named_with_what_was_expected(tmp_path: Path, table: str, words: str) -> None:
    """One sentence each; addresses, secrets and passwords are not shown."""
    (problem,) = problems(tmp_path, f"{GOOD}{ROUTE}[sink.crm]\n{table}\n")
    assert words in problem


def test_each_type_of_sink_is_among_them() -> None:
    """No type is left out above."""
    assert all(any(f'type = "{kind}"' in table for table, _ in WRONG) for kind in SINKS)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ('[[route]]\nsink = "crn"\n', "route[0].sink is 'crn'; expected the name of a sink: crm, python."),
        ("[[route]]\n", "route[0].sink is missing; expected some text."),
        ('[[route]]\nkinds = ["Foo"]\nsink = "crm"\n', "route[0].kinds[0] is 'Foo'; expected 'MessageReceived'"),
        (
            '[[route]]\naccounts = ["EX9"]\nsink = "crm"\n',
            "route[0].accounts names 'EX9'; expected a name of an account.",
        ),
        ('[sink.python]\ntype = "stdout"\n', "sink.python is a name that means handler.target; expected another name."),
    ],
)
def test_a_wrong_route_is_named_with_what_was_expected(tmp_path: Path, tables: str, words: str) -> None:
    """A typing mistake in a name leads nowhere, and says which names there are."""
    (problem,) = problems(tmp_path, f"{GOOD}[sink.crm]\n{HOOK}{tables}")
    assert words in problem


@pytest.mark.parametrize(
    "keys",
    [
        'declare = true\nqueue = "q"\nexchange = "x"',
        'declare = true\nqueue = "q"\nrouting_key = "q"',
        'queue = "q"',
    ],
)
def test_a_queue_that_messages_reach_is_taken(tmp_path: Path, keys: str) -> None:
    """Bound to an exchange, named by the routing key, or declared by others."""
    sinks = load(tmp_path, f'{GOOD}{ROUTE}[sink.crm]\ntype = "amqp"\nurl = "amqp://x.example/"\n{keys}\n').sink
    assert getattr(sinks["crm"], "queue", None) == "q"


@pytest.mark.parametrize(
    ("url", "placed"),
    [
        ("sqlite:///rel.db", "sqlite:///{folder}/rel.db"),
        ("sqlite:////srv/abs.db", "sqlite:////srv/abs.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql+psycopg://h/rel.db", "postgresql+psycopg://h/rel.db"),
    ],
)
def test_a_relative_table_is_beside_the_configuration(tmp_path: Path, url: str, placed: str) -> None:
    """As each other relative path of the file, whatever the working directory is."""
    sink = load(tmp_path, f'{GOOD}{ROUTE}[sink.crm]\ntype = "sql"\nurl = "{url}"\n').sink["crm"]
    assert isinstance(sink, SqlSettings)
    assert sink.url.get_secret_value() == placed.format(folder=tmp_path)


def test_a_url_of_a_table_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Bytes of the environment that are not UTF-8 end in no later error."""
    path = tmp_path / "soap-handler.toml"
    path.write_text(f'{GOOD}{ROUTE}[sink.crm]\ntype = "sql"\n')
    for url in ("sqlite:///\udcff.db", "postgresql+psycopg://h/\udcff"):
        with pytest.raises(SettingsError, match=r"^sink\.crm\.url .*is of another form \(not shown\); expected"):
            load_settings(path, {"SOAP_HANDLER_SINK__CRM__URL": url})


def test_the_columns_of_a_table_come_from_the_environment_too(tmp_path: Path) -> None:
    """As JSON; what is none is named."""
    path = tmp_path / "soap-handler.toml"
    path.write_text(f'{GOOD}{ROUTE}[sink.crm]\ntype = "sql"\nurl = "sqlite:////x"\n')
    sink = load_settings(path, {"SOAP_HANDLER_SINK__CRM__COLUMNS": '{"key": "k"}'}).sink["crm"]
    assert isinstance(sink, SqlSettings)
    assert sink.columns == {"key": "k"}
    for text, words in {"key": "is no JSON; expected a table such as", "[1]": "expected a table."}.items():
        with pytest.raises(SettingsError, match=words):
            load_settings(path, {"SOAP_HANDLER_SINK__CRM__COLUMNS": text})


def test_a_right_one_is_taken(tmp_path: Path) -> None:
    """The table that the wrong ones are made of."""
    assert load(tmp_path, f"{GOOD}{ROUTE}[sink.crm]\n{HOOK}").sink["crm"].concurrency == 4
