"""From a blaster to the host and back: fetch its log, train models on it, and upload them.

Blocking I/O, each read limited to a tenth of a second: a process here talks to one blaster only.
"""
