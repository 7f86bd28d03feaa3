"""What is said between host and blaster over a serial line or a socket, both sides of it, without any I/O.

Each class is fed the bytes that came and gives back messages or the bytes to send; who moves them is not its business.
``docs/protocol.md`` describes the same for people who write firmware.
"""
