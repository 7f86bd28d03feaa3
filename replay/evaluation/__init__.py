"""Measure a model on recordings as a stream: shots in time, false spin-ups, lead, duty; compare champion and challengers."""
