"""The kinds of sources, a module each, and what they share."""
