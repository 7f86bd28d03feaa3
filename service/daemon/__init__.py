"""The running daemon: flow, pipeline, sinks, lifecycle."""
