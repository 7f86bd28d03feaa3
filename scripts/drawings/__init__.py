"""Drawings for the documentation.

Concepts of training and evaluation, from a synthetic session, and the architecture. ``python -m scripts.drawings``
writes them into ``docs/pictures/``. They are SVG, and follow the page between light and dark.
"""
