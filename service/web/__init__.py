"""The page for people: a process of its own, a client of the daemon over MQTT and of its data folder."""
