"""Retraining: recordings that the daemon kept become a better model, if there is one in them."""
