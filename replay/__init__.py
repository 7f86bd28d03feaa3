"""Replay recordings through models: the schedule of a replay, evaluation, and plots."""
