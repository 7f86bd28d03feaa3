"""The bench: a device, emulated or real, and a verdict with numbers."""
