"""Build an ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS

INPUT: Final = "window"
"""``(n, 50, 6) int16``, raw LSB."""
OUTPUT: Final = "probability"
"""``(n,) float32``, 0 to 1."""

OPSETS: Final = {"": 18, "ai.onnx.ml": 3}
"""Old enough for every ONNX Runtime of recent years, new enough for reductions whose axes are an input."""
IR_VERSION: Final = 9


class GraphBuilder:
    """Collects nodes and constants of one graph; tensors are referred to by name.

    A node that is equal to an earlier one is not added again, so models in one graph share what they have in common.
    """

    def __init__(self, window_samples: int = WINDOW_SAMPLES) -> None:
        self.window_samples = window_samples
        """Length of the windows that the graph takes."""
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._outputs: dict[tuple[object, ...], str] = {}

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Add a constant and return its name; equal constants are stored once."""
        array = np.asarray(value, dtype=dtype)
        key = f"{array.dtype.str}{array.shape}{array.tobytes().hex()}"
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant_{len(self._constants)}")
        return self._constants[key].name

    def axes(self, *axes: int) -> str:
        """Add a constant with the numbers of axes and return its name."""
        return self.constant(axes, np.int64)

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node whose output has the name ``output``, or a name of its own; return that name.

        Without ``output``, no node is added if there is an equal one: its output is returned.
        """
        key = (operator, inputs, *sorted((name, repr(value)) for name, value in attributes.items()))
        if output is None and key in self._outputs:
            return self._outputs[key]
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=f"node_{name}", **attributes))
        self._outputs[key] = name
        return name

    def adopt(self, graph: onnx.GraphProto) -> None:
        """Add the nodes and constants of another graph, whose names must differ from those of this one."""
        self.nodes.extend(graph.node)
        self._constants.update({f"adopted {tensor.name}": tensor for tensor in graph.initializer})

    def finish(self, metadata: dict[str, str], *, output: str = OUTPUT, shape: Sequence[str | int] = ("n",)) -> bytes:
        """Check the graph and return it serialised. Its result is the tensor ``output``, of float32 and ``shape``."""
        graph = helper.make_graph(
            self.nodes,
            "stinger",
            [helper.make_tensor_value_info(INPUT, TensorProto.INT16, ["n", self.window_samples, len(CHANNELS)])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(shape))],
            list(self._constants.values()),
        )
        domains = {node.domain for node in self.nodes} | {""}
        opsets = [helper.make_opsetid(domain, OPSETS[domain]) for domain in sorted(domains)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="stinger-ml")
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
