"""A subscriber that shows a daemon's messages on a terminal."""
