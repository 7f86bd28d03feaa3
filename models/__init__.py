"""From recordings to a model and its output: features, datasets, training, benchmark."""
