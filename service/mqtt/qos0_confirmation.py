"""Confirms messages at QoS 0, which a broker does not acknowledge.

The broker has read them when it answers a later packet.
"""

from __future__ import annotations

from collections.abc import Callable


class Qos0Confirmation:
    """Calls the handlers of messages at QoS 0 once the broker has answered a packet that was sent after them.

    ``send_question`` sends a packet that the broker answers and that has no other effect, and returns its packet
    identifier; it raises :class:`~service.mqtt.errors.MqttError` if the connection is lost. At most one such packet
    is in flight.
    """

    def __init__(self, send_question: Callable[[], int]) -> None:
        self._send_question = send_question
        self._waiting: list[Callable[[], None]] = []
        self._asked: list[Callable[[], None]] = []
        self._packet_id: int | None = None

    def add(self, acknowledged: Callable[[], None]) -> None:
        """Have ``acknowledged`` called when the broker has read the message that was just sent."""
        self._waiting.append(acknowledged)
        self.ask()

    def ask(self) -> None:
        """Send the next packet to answer, unless one is in flight or no message waits."""
        if self._waiting and not self._asked:
            self._asked, self._waiting = self._waiting, []
            self._packet_id = self._send_question()

    def take_answer(self, packet_id: int) -> bool:
        """Call the handlers that wait for this answer; return whether there were any. :meth:`ask` must follow then."""
        if packet_id != self._packet_id:
            return False
        confirmed, self._asked = self._asked, []
        for acknowledged in confirmed:
            acknowledged()
        return True
