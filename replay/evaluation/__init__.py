"""Measure a model on recordings as a stream: shots in time, false spin-ups, lead, duty.

The comparison of a champion with its challengers is here too.
"""
