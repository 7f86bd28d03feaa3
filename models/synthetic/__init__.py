"""Synthetic sessions, from a stated model of motion: to exercise the software and to try it at scale, not to judge models.

What each phase of the motion is, and how hard the sessions are to learn from, stands in ``docs/synthetic.md``.
"""

from models.synthetic.session import MAX_MINUTES, session_users, synthesise, synthetic_blocks

__all__ = ["MAX_MINUTES", "session_users", "synthesise", "synthetic_blocks"]
