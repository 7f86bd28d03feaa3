"""Generate synthetic sessions from a documented model of motion: to test the software, also at scale, not to judge models.

``docs/synthetic.md`` describes each phase of the motion and how hard the sessions are to predict.
"""

from models.synthetic.session import MAX_MINUTES, session_users, synthesise, synthetic_blocks

__all__ = ["MAX_MINUTES", "session_users", "synthesise", "synthetic_blocks"]
