"""Generate synthetic sessions from a documented model of motion.

They are for testing the software, also at scale, and not for judging models. ``docs/synthetic.md`` describes each phase
of the motion and how hard the sessions are to predict.
"""

from models.synthetic.session import MAX_MINUTES, session_users, synthesise, synthetic_blocks

__all__ = ["MAX_MINUTES", "session_users", "synthesise", "synthetic_blocks"]
