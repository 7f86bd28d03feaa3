"""From what was seen of a scenario to measurements: arrays and messages in, values out. Without any I/O."""
