"""Everything that is said over MQTT: connection, outbox, topics, messages, commands."""
