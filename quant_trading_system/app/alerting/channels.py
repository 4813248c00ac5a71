"""Telling people through Apprise: one channel, with a bound on its time, and never a word about its address."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Protocol

from quant_trading_system.app.alerting.settings import ChannelSettings
from quant_trading_system.app.readings.alert_kinds import Weight
from quant_trading_system.core.exceptions import ConfigurationError

TIMEOUT_S = 2
"""For a connection, and for an answer; a channel that takes longer is given up for the next one."""
_log = logging.getLogger(__name__)
_TYPES = {Weight.INFO: "info", Weight.WARNING: "warning", Weight.CRITICAL: "failure", Weight.PAGE: "failure"}


class Channel(Protocol):
    """One way to reach people."""

    name: str

    def tell(self, title: str, body: str, weight: Weight) -> bool:
        """Send one message; False when it did not work. Called from a thread."""


class AppriseChannel:
    """A `Channel` of Apprise."""

    def __init__(self, settings: ChannelSettings) -> None:
        """Understand the address.

        Raises:
            ConfigurationError: it is none, or Apprise is not installed.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of modules that its plugins try and do without
                import apprise
        except ImportError as error:
            raise ConfigurationError(
                "alerts need a library that is not here (apprise): pip install 'quant-trading-system[console]'"
            ) from error
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its messages show addresses
        self.name = settings.name
        asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, service_timeout=TIMEOUT_S)
        self._apprise = apprise.Apprise(asset=asset)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            is_understood = self._apprise.add(settings.url)
        if not is_understood:
            raise ConfigurationError(
                f"channel {settings.name}: Apprise does not understand its address; see its list of services"
            )

    def tell(self, title: str, body: str, weight: Weight) -> bool:
        try:
            return bool(self._apprise.notify(title=title, body=body, notify_type=_TYPES[weight], timeout=TIMEOUT_S))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and the text may hold its address
            _log.warning("channel failed", extra={"fields": {"channel": self.name, "error": type(error).__name__}})
            return False


def channels_of(settings: Sequence[ChannelSettings]) -> tuple[Channel, ...]:
    """The channels of a group, in order.

    Raises:
        ConfigurationError: as for `AppriseChannel`.
    """
    return tuple(AppriseChannel(channel) for channel in settings)
