"""Recordings on disk: the layout of the folder, writing, retention, recovery."""
