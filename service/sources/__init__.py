"""The kinds of sources, one module each, and what they share."""
