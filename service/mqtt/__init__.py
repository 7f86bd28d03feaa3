"""MQTT: the client, the outbox, topics, messages, commands, and the broker inside the process."""
