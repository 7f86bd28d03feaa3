"""Measure a model on recordings as a stream: shots in time, false spin-ups, lead, duty.

Compares also a champion and its challengers.
"""
