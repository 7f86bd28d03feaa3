"""Plot recordings, their shots and the output of models over time."""
