"""Turns what was observed during a scenario into measurements. No I/O: arrays and messages in, values out."""
