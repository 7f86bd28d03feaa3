"""The protocol between host and blaster over a serial line or a socket, both sides of it, without any I/O.

Each class takes received bytes and returns messages or the bytes to send; the caller reads and writes the port.
``docs/protocol.md`` describes the protocol for people who write firmware.
"""
