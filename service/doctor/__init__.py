"""Finds out what is installed and connected on this machine, and what is wrong: ``stinger doctor``."""
