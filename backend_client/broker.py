"""An MQTT 5 broker that carries the blacklist: the same signed bytes as any other way.

Topics below a prefix: `delta`, every signed delta as it is published, and, retained, `version`, the
newest version as digits, `recent`, the deltas that lead to it, and `snapshot`, the whole list that
those continue, each after the key statement in force if there is one. A terminal that hears of a
version it did not get a delta for asks the back office, and while that is away asks the broker for
`recent` and, if need be, `snapshot`; so a message that is lost, or forged, does no harm. Needs
paho-mqtt (the extra `mqtt`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from backend_client.errors import BrokerUnreachable, BrokerUnusable
from backend_client.list_document import MAX_DOCUMENT

if TYPE_CHECKING:
    from paho.mqtt.client import Client

DELTA, VERSION, RECENT, SNAPSHOT = "delta", "version", "recent", "snapshot"
MAX_PUSHED = 4 * 1024 * 1024
"""A larger message that nobody asked for is not looked at."""

MAX_MESSAGE = MAX_DOCUMENT
"""The broker is told, in bytes, to send nothing that is larger."""

_KEEPALIVE = 30
_AT_LEAST_ONCE = 1

Arrived = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and who we are to it.

    `tls` off is for a broker on this machine. `ca` names a file of trusted CAs (None: the
    system's), `certificate` and `key` our own, where the broker asks for one.
    """

    host: str
    port: int = 8883
    topic: str = "ssct/blacklist"
    tls: bool = True
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    connect_timeout: float = 10.0


class Broker:
    """A connection to a broker, which comes back by itself after it was lost.

    `arrived` is called with what follows the prefix in the topic, and the message, on the
    connection's own thread. Open it, and close it at the end.
    """

    def __init__(self, address: BrokerAddress, name: str, arrived: Arrived | None = None) -> None:
        """Raise `BrokerUnusable` without paho-mqtt. `name` is the client id."""
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
        except ImportError:
            raise BrokerUnusable("paho-mqtt is not installed") from None
        self._address = address
        self._arrived = arrived
        self._connected = Event()
        self._client: Client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.connect_timeout = address.connect_timeout
        self._client.reconnect_delay_set(min_delay=1, max_delay=60)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def open(self) -> Broker:
        """Connect, and go on in the background. Raises `BrokerUnreachable`."""
        address = self._address
        if address.user:
            self._client.username_pw_set(address.user, address.password)
        try:
            if address.tls:
                self._client.tls_set(
                    ca_certs=str(address.ca) if address.ca else None,
                    certfile=str(address.certificate) if address.certificate else None,
                    keyfile=str(address.key) if address.key else None,
                )
            self._client.connect(
                address.host, address.port, keepalive=_KEEPALIVE, properties=_limits()
            )
        except (OSError, ValueError) as error:
            raise BrokerUnreachable(
                f"no connection to the broker ({type(error).__name__})"
            ) from None
        self._client.loop_start()
        if not self._connected.wait(address.connect_timeout):
            self.close()
            raise BrokerUnreachable("the broker does not let us in")
        return self

    def close(self) -> None:
        """Take leave. May be called more than once."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, message: bytes, *, retain: bool = False) -> bool:
        """Send a message at least once; whether the broker has it within the time for connecting.

        While the connection is lost it waits in line.
        """
        sent = self._client.publish(
            f"{self._address.topic}/{topic}", message, qos=_AT_LEAST_ONCE, retain=retain
        )
        try:
            sent.wait_for_publish(self._address.connect_timeout)
        except (RuntimeError, ValueError):
            return False
        return sent.is_published()

    def ask(self, topic: str) -> None:
        """Have what is retained there sent to `arrived`, once more if it was sent before."""
        self._client.subscribe(f"{self._address.topic}/{topic}", _AT_LEAST_ONCE)

    def leave(self, topic: str) -> None:
        """Hear no more of a topic that was asked for."""
        self._client.unsubscribe(f"{self._address.topic}/{topic}")

    def _on_connect(
        self,
        client: Client,
        _data: object,
        _flags: object,
        reason: Any,  # noqa: ANN401  # paho's own types say no more
        _properties: object,
    ) -> None:
        """Connected, for the first time or again: subscribe, and hear the version retained."""
        if reason.is_failure:
            return
        if self._arrived is not None:
            topics = [(f"{self._address.topic}/{t}", _AT_LEAST_ONCE) for t in (DELTA, VERSION)]
            client.subscribe(topics)
        self._connected.set()

    def _on_message(self, _client: Client, _data: object, message: Any) -> None:  # noqa: ANN401  # likewise
        topic = message.topic.rpartition("/")[2]
        limit = MAX_MESSAGE if topic in (RECENT, SNAPSHOT) else MAX_PUSHED
        if self._arrived is not None and len(message.payload) <= limit:
            self._arrived(topic, bytes(message.payload))


def _limits() -> Any:  # noqa: ANN401  # paho's own types say no more
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types
    limits.MaximumPacketSize = MAX_MESSAGE
    return limits
