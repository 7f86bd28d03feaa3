"""Running scenarios: a device, a broker and a daemon as processes of their own, disturbed on schedule, and watched."""
