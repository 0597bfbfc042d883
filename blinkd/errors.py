"""The few errors of blinkd, each named for what the caller can do about it.

Every message names the thing that is wrong and the remedy; the command line prints it as it is, without a traceback.
"""

from collections.abc import Mapping


class BlinkdError(Exception):
    """Base of all errors that blinkd raises on purpose; the command line turns it into exit code 1."""


class ConfigError(BlinkdError):
    """The settings cannot be used: the message gives file, key path, value and remedy; `at` what is wrong by key path, where it is about keys."""

    def __init__(self, message: str, at: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.at = at or {}


class MediaError(BlinkdError):
    """A picture or recording cannot be read (missing, truncated, not an image, no frames)."""


class CameraLost(BlinkdError):
    """The camera is unplugged, busy, hung or missing; the supervisor reopens it with growing delays."""


class ModelError(BlinkdError):
    """A network's file is missing, torn or swapped, or no network of the wanted precision exists."""


class VisionFailed(BlinkdError):
    """The main line fails again and again; the process ends, so that systemd begins it anew."""


class StoreError(BlinkdError):
    """The database cannot be opened, written or trusted; what is on disk is left as it is."""


class DatabaseAway(StoreError):
    """The database server does not answer, or is not ready yet; another try later may do."""


class StateBusy(BlinkdError):
    """Another blinkd daemon already works on this state folder."""


class KeyMissing(BlinkdError):
    """The key that protects templates at rest is missing or does not fit what is stored."""


class EnrolmentRefused(BlinkdError):
    """A person or picture cannot be enrolled; `reason` is a short machine-readable word, `details` JSON members that go with it."""

    def __init__(self, reason: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.details = details or {}


class UnknownPerson(BlinkdError):
    """No person with the given id is stored."""


class NotAllowed(BlinkdError):
    """The book does not allow what was asked for: the message says why and who can do it."""


class ReportRefused(BlinkdError):
    """A report or export cannot be made or written; nothing half-written is left."""


class ImportRefused(BlinkdError):
    """A file to be imported is wrong: the message lists every problem by row and column, and nothing was taken in."""


class EnvelopeRejected(BlinkdError):
    """An envelope does not open or is none; `reason` is a short machine-readable word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MessageRejected(BlinkdError):
    """A message from the network is not one of the protocol; `reason` is a short machine-readable word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CertificateRefused(BlinkdError):
    """A certificate is not one of the organisation's, not this terminal's, revoked, or not valid now."""


class BundleRefused(BlinkdError):
    """A bundle or claim of a terminal cannot be used here: the message says which check failed; nothing was changed."""


class CarrierAway(BlinkdError):
    """The relay that was to carry a claim cannot be reached, or does not take it; another try later, or a USB stick, may do."""


class WrongPassword(BlinkdError):
    """The organisation password is not the right one."""


class KeyringRefused(BlinkdError):
    """A keyring cannot be used, or not for what was asked."""


class RequestRefused(BlinkdError):
    """A request to the relay's HTTP API is not answered as asked for; `status` is the HTTP status, `reason` a short machine-readable word."""

    def __init__(self, status: int, reason: str, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class UnknownToken(BlinkdError):
    """No token of the HTTP API has the given id."""


class PasswordRefused(BlinkdError):
    """A new password would be guessed, or a password is no text."""


class OperatorRefused(BlinkdError):
    """An operator of the terminal's pages cannot be taken in or changed so; nothing was changed."""


class UnknownOperator(BlinkdError):
    """No operator of the terminal's pages has the given name."""


class SignInNeeded(BlinkdError):
    """Nobody is logged in, or no longer: the page is shown after log-in."""


class PasswordDue(BlinkdError):
    """Whoever is logged in has a password that somebody else chose, and must choose another one first."""


class DemoFailed(BlinkdError):
    """The demonstration did not show what it was to show: the message says at which step."""


class ServerFailed(BlinkdError):
    """A server that a bench or a test has started does not run, or did not say what was waited for; the message is what it said."""


class LinesFailed(BlinkdError):
    """The board's lines (lock, contact, lights) cannot be used: the library or its driver is missing, or a line is taken or gone."""


class ReaderLost(BlinkdError):
    """The keypad or reader is unplugged, missing or may not be read; whoever owns it opens it again."""


class PinRefused(BlinkdError):
    """A new PIN would be guessed, or is none; or a badge's code is too short, or somebody else's."""


class BackupRefused(BlinkdError):
    """A back-up cannot be made, or is torn, another organisation's, too new, or has no place here; what there was is untouched."""
