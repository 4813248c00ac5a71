"""Keys of the broker and the hosts they belong to: from the environment or a private file, and never shown.

A live host takes more than keys: the configuration must say live, the account must be named, and somebody
must arm it for this run.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError

KEY_ID = "APCA_API_KEY_ID"
SECRET_KEY = "APCA_API_SECRET_KEY"  # noqa: S105 - the name of a variable
BASE_URL = "APCA_API_BASE_URL"
DATA_URL = "APCA_API_DATA_URL"
STREAM_URL = "APCA_API_STREAM_URL"
SETTINGS = (KEY_ID, SECRET_KEY, BASE_URL, DATA_URL, STREAM_URL)

_PAPER_HOST = "paper-api.alpaca.markets"
_PAPER_URL = f"https://{_PAPER_HOST}"
_DATA_URL = "https://data.alpaca.markets"
_STREAM_URL = "wss://stream.data.alpaca.markets"
_ALPACA = ".alpaca.markets"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_FILE = 4096
_VERSION = re.compile(r"(/v2(/\w+)?)?/*$")
"""What people copy along with the root of an interface."""
_OPEN_TO_OTHERS = 0o077


class TradingMode(StrEnum):
    """Whose money an account holds."""

    LOCAL = "local"  # a venue on this machine
    PAPER = "paper"
    LIVE = "live"


class Credentials:
    """A key and its secret. They leave it in headers and in the first message of a stream, and no other way."""

    __slots__ = ("_key_id", "_secret_key")

    def __init__(self, key_id: str, secret_key: str) -> None:
        """Take the pair.

        Raises:
            ConfigurationError: one of them is empty or could not stand in a header; says which, never what.
        """
        for name, value in ((KEY_ID, key_id), (SECRET_KEY, secret_key)):
            if not value or len(value) > 256 or not value.isascii() or not value.isprintable() or " " in value:
                raise ConfigurationError(f"{name} is missing or is no key; copy it from the broker's site")
        self._key_id = key_id
        self._secret_key = secret_key

    def __repr__(self) -> str:
        return "Credentials(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are neither pickled nor copied")

    def hidden_in(self, text: str) -> str:
        """`text` without the keys, should the other side repeat them."""
        return text.replace(self._secret_key, "…").replace(self._key_id, "…")

    def headers(self) -> dict[str, str]:
        """For every request of the REST interfaces."""
        return {"APCA-API-KEY-ID": self._key_id, "APCA-API-SECRET-KEY": self._secret_key}

    def order_stream_message(self) -> dict[str, object]:
        """The first message on the stream of order updates."""
        return {"action": "authenticate", "data": {"key_id": self._key_id, "secret_key": self._secret_key}}

    def data_stream_message(self) -> dict[str, object]:
        """The first message on the stream of market data."""
        return {"action": "auth", "key": self._key_id, "secret": self._secret_key}


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker is.

    Attributes:
        trading, data: roots of the REST interfaces, without a slash at the end.
        order_stream: WebSocket of order updates; `data_stream`: root of the market data streams.
        mode: told by the host of `trading`; a host that nobody knows counts as live.
    """

    trading: str
    data: str
    order_stream: str
    data_stream: str
    mode: TradingMode

    @classmethod
    def derived(cls, trading: str = "", data: str = "", data_stream: str = "") -> Endpoints:
        """The usual ones for a trading root; paper when nothing is given. A local venue serves all from one port.

        Raises:
            ConfigurationError: no URL of a host, or credentials would travel unencrypted to another machine.
        """
        trading = _root(BASE_URL, trading or _PAPER_URL, "http")
        host = urlsplit(trading).hostname or ""
        is_alpaca = host.endswith(_ALPACA)
        streams = "ws" + trading.removeprefix("http")
        return cls(
            trading=trading,
            data=_root(DATA_URL, data or (_DATA_URL if is_alpaca else trading), "http"),
            order_stream=f"{streams}/stream",
            data_stream=_root(STREAM_URL, data_stream or (_STREAM_URL if is_alpaca else streams), "ws"),
            mode=_mode(host),
        )

    def require_permission(self, mode: TradingMode, *, armed: bool, account_id: str) -> None:
        """Refuse to touch an account that the configuration does not mean.

        Args:
            mode: what the configuration says.
            armed: somebody said for this run that real money may be moved.
            account_id: the account that is to be traded; empty for any (never for live).

        Raises:
            ConfigurationError: says what does not agree.
        """
        if mode is not self.mode:
            raise ConfigurationError(
                f"the configuration says {mode}, but {self.trading} is {self.mode}; "
                f"write --mode {self.mode}, or set APCA_API_BASE_URL to the host that you mean"
            )
        if self.mode is not TradingMode.LIVE:
            return
        if not account_id:
            raise ConfigurationError("live trading needs the id of the account in the configuration")
        if not armed:
            raise ConfigurationError("live trading moves real money and was not armed for this run")


class Access(msgspec.Struct, frozen=True):
    """Keys together with the hosts that they are for."""

    credentials: Credentials
    endpoints: Endpoints


def read_access(environment: Mapping[str, str], file: Path | None = None) -> Access:
    """Keys and hosts from the environment, or from `file` alone when one is named.

    The file has lines such as ``APCA_API_KEY_ID=…``; empty lines and those that begin with ``#`` do not count.

    Raises:
        ConfigurationError: something is missing or malformed, or the file could be read by others; never
            tells a key.
    """
    settings = environment if file is None else _read_file(file)
    return Access(
        Credentials(settings.get(KEY_ID, ""), settings.get(SECRET_KEY, "")),
        Endpoints.derived(settings.get(BASE_URL, ""), settings.get(DATA_URL, ""), settings.get(STREAM_URL, "")),
    )


def require_account(found: tuple[str, ...], expected: str) -> None:
    """Refuse an account that is not the configured one.

    Args:
        found: the names of the account at the broker: its id and its number.

    Raises:
        ConfigurationError: it has none of these names.
    """
    if expected and expected not in found:
        raise ConfigurationError(f"these keys belong to account {found[-1]}, but the configuration says {expected}")


def _mode(host: str) -> TradingMode:
    if host in _LOOPBACK:
        return TradingMode.LOCAL
    return TradingMode.PAPER if host == _PAPER_HOST else TradingMode.LIVE


def _root(name: str, url: str, scheme: str) -> str:
    """`url` without a slash at the end, if credentials may travel to it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if not host or parts.scheme not in (scheme, scheme + "s") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(f"{name} is not the URL of a host, such as {scheme}s://host.example")
    if parts.scheme == scheme and host not in _LOOPBACK:
        raise ConfigurationError(f"{name} would send keys unencrypted; write {scheme}s:// instead of {scheme}://")
    return _VERSION.sub("", url)


def _read_file(path: Path) -> dict[str, str]:
    settings: dict[str, str] = {}
    for number, line in enumerate(_private_text(path).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, value = text.partition("=")
        if name.strip() not in SETTINGS or name.strip() in settings:
            raise ConfigurationError(f"{path}, line {number}: write each of {', '.join(SETTINGS)} once, as NAME=value")
        settings[name.strip()] = value.strip().strip("\"'")
    return settings


def _private_text(path: Path) -> str:
    """The file is opened once, and the permissions are those of the open file, so that no swap can slip in."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened as a file of keys: {error.strerror}") from None
    try:
        _require_private(path, os.fstat(descriptor))
        with FileIO(descriptor, closefd=False) as file:
            content = file.read(_MAX_FILE + 1)
    finally:
        os.close(descriptor)
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not plain text") from None
    if len(content) > _MAX_FILE:
        raise ConfigurationError(f"{path} is too large to be a file of keys")
    return text


def _require_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path} is not a regular file")
    if found.st_uid != os.geteuid():
        raise ConfigurationError(f"{path} belongs to another user; keys are read from your own files only")
    if found.st_mode & _OPEN_TO_OTHERS:
        raise ConfigurationError(f"{path} holds keys and is open to others; run: chmod 600 '{path}'")
