"""Models as one ONNX graph: raw int16 window in, probability of a shot out. Needs the ``train`` extra.

Serving a graph needs none of this: see :mod:`models.model_file`.
"""
