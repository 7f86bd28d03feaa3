"""The daemon: sources, scores, decisions, events out over MQTT."""
