"""What operating the daemon needs: HTTP, metrics, systemd, locks, health."""
