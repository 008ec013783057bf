"""Errors that this package raises on purpose, in one tree. The docstring of each says when."""

import math
from datetime import timedelta


class SoapHandlerError(Exception):
    """Base of all errors of this package."""


class SettingsError(SoapHandlerError):
    """The configuration cannot be used; ``problems`` holds one sentence for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ConsoleAddressError(SoapHandlerError):
    """The address of the console cannot be listened on."""


class HandlerNotFoundError(SoapHandlerError):
    """``handler.target`` does not lead to something that can handle notifications."""


class TracingError(SoapHandlerError):
    """Traces are on, and cannot be made or exported: a library is missing, or the environment asks for another one."""


class RetryLater(SoapHandlerError):  # noqa: N818 - a verdict that a handler raises, not a defect
    """Raised by a handler or a sink: not yet. ``after`` is the shortest time until the next attempt.

    It is in seconds, or a timedelta. The reason is kept in the history. Without ``after`` the usual back-off decides.

    Raises:
        TypeError: ``after`` is no time; the attempt has failed with that then.
    """

    def __init__(self, reason: str = "", after: float | timedelta | None = None) -> None:
        super().__init__(reason or "the handler asked for a later attempt")
        seconds = after.total_seconds() if isinstance(after, timedelta) else after
        if seconds is not None and not (isinstance(seconds, int | float) and abs(seconds) < math.inf):
            raise TypeError("RetryLater: after is no time; expected a number of seconds, or a timedelta")
        self.after = seconds


class GiveUp(SoapHandlerError):  # noqa: N818 - a verdict that a handler raises, not a defect
    """Raised by a handler or a sink: this will never be handled. It is dead at once; the reason is kept."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "the handler gave up")


class SinkError(SoapHandlerError):
    """Base of the errors of sinks. The text carries no personal data and no secret."""


class SinkDownError(SinkError):
    """The destination as a whole is out of order or out of reach: no fault of this notification, so no attempt is used.

    ``after`` is the shortest time until the next try, in seconds, if the destination named one. ``for_good`` says that
    the destination asked for nothing more (HTTP 410): a person must look.
    """

    def __init__(self, reason: str, after: float | None = None, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.after = after
        self.for_good = for_good
        self.is_echo = False
        """Whether it tells of a request that another delivery of the same batch has told of."""


class SinkRefusedError(SinkError):
    """The destination works, and refuses this one notification."""


class AuthenticationError(SoapHandlerError):
    """The caller did not prove to be EMS calling for one of our accounts. The text never says why.

    ``delay`` is the time in seconds for which the server should hold the answer back. ``computed`` says that a hash was
    computed to find it out.
    """

    def __init__(self, delay: float = 0.0, *, computed: bool = False) -> None:
        super().__init__("Authentication failed")
        self.delay = delay
        self.computed = computed


class CredentialsUncheckedError(SoapHandlerError):
    """The credentials could not be checked now, so nothing is known of them: the caller is to come again.

    ``delayed`` says that too many wrong ones came from this caller; else too many others are being checked.
    """

    def __init__(self, *, delayed: bool = False) -> None:
        super().__init__("The credentials could not be checked; please send it again")
        self.delayed = delayed

    @property
    def delay(self) -> float:
        """The time in seconds for which the server should hold the answer back."""
        return 1.0 if self.delayed else 0.0


class JournalUnavailableError(SoapHandlerError):
    """The journal could not commit: disk full, locked, read-only or out of reach. Nothing was stored; try again."""


class JournalFileError(JournalUnavailableError):
    """The file of a SQLite journal was taken away, replaced or cut off, or holds no journal of this release."""


class BackupError(SoapHandlerError):
    """A backup could not be made, or cannot be put back. What was there before is untouched."""


class TransactionError(SoapHandlerError):
    """A transactional handler ended its transaction itself, or used it after the handler had timed out."""


class JournalRefusedError(JournalUnavailableError):
    """The journal works, but cannot hold this request. In a batch, another request of the batch may be the cause."""


class SchemaError(SoapHandlerError):
    """The journal's tables are of another release than this program."""


class DoctypeError(SoapHandlerError):
    """An XML document has a document type declaration, which SOAP forbids (SOAP 1.1, section 3)."""


class MalformedError(SoapHandlerError):
    """An XML document is not well-formed, and cannot be repaired."""


class LimitExceededError(SoapHandlerError):
    """The structure of an XML document is beyond a limit; the text says which one."""


class PackagingError(SoapHandlerError):
    """The compression or the parts of a request cannot be undone; the text says why, in words for its sender."""


class FormError(SoapHandlerError):
    """A form post cannot be understood; the text says why, in words for its sender."""


class InboxError(SoapHandlerError):
    """Base of the errors of calls to the EMS inbox. The text carries no personal data."""


class InboxUnavailableError(InboxError):
    """The inbox gave no proper answer (5xx, timeout, reset, HTML, nothing, unknown fault): try again."""


class InboxFaultError(InboxUnavailableError):
    """EMS answered with a SOAP fault of another cause: the inbox works, but refuses this call. Try again later."""


class InboxRefusedError(InboxError):
    """EMS refused the credentials or the account (vendor codes 2, 3, 5, 6, 16): a person must look."""


class MessageGoneError(InboxError):
    """EMS does not know the message (vendor code 8): it is already deleted."""
