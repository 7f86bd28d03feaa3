"""Build models as ONNX graphs: raw int16 window in, probability of a shot out. Needs the ``train`` extra.

Running a model needs none of this: see :mod:`models.model_file`.
"""
