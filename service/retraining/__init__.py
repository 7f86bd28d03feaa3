"""Retraining: trains models on the daemon's recordings, and promotes one that is better than the model in use."""
