"""Runs scenarios: starts devices, a broker and a daemon as processes, injects faults on schedule, and observes."""
