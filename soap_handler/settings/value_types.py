"""Value types of settings, each with its validation rule. A broken rule raises what was expected instead.

Which settings there are is in ``model``; how a broken rule becomes a sentence is in ``problems``.
"""

from __future__ import annotations

import base64
import math
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, StringConstraints

from soap_handler.accounts.passwords import PasswordHash, is_foreign_hash, is_hash
from soap_handler.settings import journal_url

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{20,200}", re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TARGET = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")


_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
"""Characters that no user name or password has: XML cannot carry them, or they end a line."""
_HOST_LENGTH = 253  # characters, at most (RFC 1035)
_WEEK_SECONDS = 604_800


def masked_journal(url: SecretStr) -> str:
    """Return the journal's URL without user, password and query."""
    return journal_url.masked(url.get_secret_value())


def masked_proxy(address: str) -> str:
    """Return the address of a proxy without its user and password."""
    parts = urlsplit(address)
    return parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}").geturl() if "@" in parts.netloc else address


def _not_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number")  # noqa: TRY004 - pydantic turns only ValueError into a problem
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("a text that is not blank")
    return _printable(text)


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("a text without control characters and line ends")
    return text


def _printable_secret(secret: SecretStr) -> SecretStr:
    _printable(secret.get_secret_value())
    return secret


def _host(text: str) -> str:
    """Return a host name or IP address that the system's resolver can be asked for."""
    if not _is_host(_not_blank(text).partition("%")[0]):
        raise ValueError("the name or the IP address of a host")
    return text


def _host_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", text):
        raise ValueError("the name of a host, without scheme and port")
    return _host(text)


def _is_host(text: str) -> bool:
    try:
        return 0 < len(text) <= _HOST_LENGTH and bool(text.encode("idna"))  # as the resolver will do
    except UnicodeError:
        return False


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # urlsplit's own complaint may quote what it read
        usable = False
    if not usable or re.search(r"\s", text) or _CONTROL.search(text):
        raise ValueError("an address that starts with http:// or https://")
    return text


def _without_login(text: str) -> str:
    if "@" in urlsplit(text).netloc:
        raise ValueError("an address without user and password")
    return text


def _base_address(text: str) -> str:
    _without_login(_web_address(text))
    if "?" in text or "#" in text:
        raise ValueError("an address without ? and #")
    return text.rstrip("/")


def _path_prefix(text: str) -> str:
    text = text.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*", text):
        raise ValueError('a path that starts with /, such as "/Services"')
    return text


def _service_address(text: str) -> str:
    return _without_login(_web_address(text))


def _proxy_address(text: str) -> str:
    parts = urlsplit(_web_address(text))
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("an address that ends with host and port; a password has %2F for /, %3F for ? and %23 for #")
    return text


def _journal_url(url: SecretStr) -> SecretStr:
    journal_url.check(url.get_secret_value())
    return url


def _target(text: str) -> str:
    if not _TARGET.fullmatch(text):
        raise ValueError("package.module:attribute")
    return text


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError) as error:
        raise ValueError('the IANA name of a time zone, such as "Europe/London"') from error
    return name


def _push_password(password: SecretStr) -> SecretStr:
    text = password.get_secret_value()
    if is_foreign_hash(text):
        raise ValueError("a password, or its scrypt hash as soap-handler hash-password prints it")
    if is_hash(text):
        PasswordHash.parse(text)
    return password


def _push_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not is_hash(text) and not _TOKEN.fullmatch(text):
        raise ValueError("at least 20 letters, digits and - . _ ~, or the scrypt hash of such a text")
    return _push_password(token)


def _bearer_token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("at least 20 letters, digits and - . _ ~")
    return token


def _hashed_password(password: SecretStr) -> SecretStr:
    text = password.get_secret_value()
    if not is_hash(text):
        raise ValueError("a hash as soap-handler hash-password prints it")
    PasswordHash.parse(text)
    return password


def _own_password(password: SecretStr) -> SecretStr:
    if is_hash(password.get_secret_value()):
        raise ValueError("the password itself; EMS cannot be shown a hash of it")
    return password


def _network(value: object) -> object:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(value.strip() if isinstance(value, str) else "")
    except ValueError:
        raise ValueError('an address or a network without host bits, such as "192.0.2.0/24"') from None


def _existing(path: Path) -> Path:
    try:
        found = path.exists()
    except (OSError, ValueError):  # a folder on the way cannot be entered, or the text is no path
        found = False
    if not found:
        raise ValueError("the path of a file that exists")
    return path.absolute()  # the customer's code may change the working directory


def _duration(value: object) -> object:
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())):
        return float(found[1]) * _UNIT_SECONDS[found[2]]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError('seconds, or a text such as "90s", "15m", "12h" or "3d"')  # noqa: TRY004 - as above
    return value


def _secret_address(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def checked(url: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(url.get_secret_value())
            usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:  # urlsplit's own complaint may quote what it read
            usable = False
        if not usable or re.search(r"\s", url.get_secret_value()):
            raise ValueError(f"an address that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return url

    return checked


def _database_url(url: SecretStr) -> SecretStr:
    from sqlalchemy import make_url  # noqa: PLC0415 - only a sink of this type needs it
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - only a sink of this type needs it

    try:
        url.get_secret_value().encode()  # bytes of the environment may be no text
        make_url(url.get_secret_value())
    except (ArgumentError, ValueError) as error:
        raise ValueError("a SQLAlchemy URL such as postgresql+psycopg://user:password@host/database") from error
    return url


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text):
        raise ValueError("the name of an HTTP header")
    return text


def _header_value(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.strip() or not (text.isascii() and text.isprintable()):
        raise ValueError("text of one line, of ASCII characters")  # others have no encoding there (RFC 9110, 5.5)
    return secret


def _webhook_key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("whsec_ and 24 to 64 bytes in base64")
    return secret


def known_fields(template: str, names: Collection[str]) -> str:
    """Return a template whose braces hold only these names.

    Raises:
        ValueError: something else is in braces.
    """
    for _, name, form, conversion in Formatter().parse(template):
        if name is not None and (name not in names or form or conversion):
            raise ValueError("in braces only " + ", ".join(sorted(names)))
    if "{{" in template or "}}" in template:  # to the formatter one that stands for itself, to other programs a field
        raise ValueError("single braces around a name")
    return template


def _template(text: str) -> str:
    try:
        list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError("a text with names in braces, such as {account}.{kind}") from error
    return _not_blank(text)


Duration = Annotated[float, BeforeValidator(_duration), Field(gt=0, le=31622400, allow_inf_nan=False)]
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address("http", "https"))]
BrokerAddress = Annotated[SecretStr, AfterValidator(_secret_address("amqp", "amqps"))]
BearerToken = Annotated[SecretStr, AfterValidator(_bearer_token)]
SecretHeader = Annotated[SecretStr, AfterValidator(_header_value)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
WebhookKey = Annotated[SecretStr, AfterValidator(_webhook_key)]
SinkName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Template = Annotated[str, AfterValidator(_template)]
Count = Annotated[int, BeforeValidator(_not_boolean), Field(ge=1, le=1_000_000)]
"""A whole number; where less is the highest value that works, the setting says so."""
Bytes = Annotated[int, BeforeValidator(_not_boolean), Field(ge=1, le=2**30)]
Port = Annotated[int, BeforeValidator(_not_boolean), Field(ge=0, le=65535)]
Seconds = Annotated[float, BeforeValidator(_not_boolean), Field(gt=0, le=_WEEK_SECONDS, allow_inf_nan=False)]
"""A time: PostgreSQL has its limits in 31 bits of milliseconds, and sockets theirs in nanoseconds."""
SecondsOrNone = Annotated[float, BeforeValidator(_not_boolean), Field(ge=0, le=_WEEK_SECONDS, allow_inf_nan=False)]
DaysOrNone = Annotated[float, BeforeValidator(_not_boolean), Field(ge=0, le=36500, allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_printable)]
Text = Annotated[str, AfterValidator(_not_blank)]
Host = Annotated[str, AfterValidator(_host)]
HostName = Annotated[str, AfterValidator(_host_name)]
_Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_printable_secret)]
Password = Annotated[_Secret, AfterValidator(_own_password)]
PushPassword = Annotated[_Secret, AfterValidator(_push_password)]
HashedPassword = Annotated[_Secret, AfterValidator(_hashed_password)]
PushTokenText = Annotated[SecretStr, Field(min_length=1), AfterValidator(_push_token)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network), PlainSerializer(str)]
BaseAddress = Annotated[str, AfterValidator(_base_address)]
PathPrefix = Annotated[str, AfterValidator(_path_prefix)]
ServiceAddress = Annotated[str, AfterValidator(_service_address)]
ProxyAddress = Annotated[str, AfterValidator(_proxy_address), PlainSerializer(masked_proxy)]
JournalUrl = Annotated[SecretStr, AfterValidator(_journal_url)]
KindName = Literal["MessageReceived", "MessageEvent", "MessageError", "SubscriptionEvent"]
Target = Annotated[str, AfterValidator(_target)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
ExistingPath = Annotated[Path, AfterValidator(_existing)]
CommandLine = Annotated[tuple[Text, ...], Field(min_length=1)]
