"""Small ONNX networks that give what a test says, whatever the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAMES = {0: "person", 1: "cup", 2: "dog"}
SIDE = (64, 96)  # height and width of the input


def write_network(
    path: Path,
    outputs: Mapping[str, np.ndarray],
    *,
    names: object = NAMES,
    side: Sequence[int | str] = SIDE,
    batch: int | str = 1,
    size_input: bool = False,
    metadata: Mapping[str, str] | None = None,
    by_picture: Sequence[str] = (),
) -> Path:
    """A network of one input ``images``. names: metadata of that name; None writes none. size_input: a
    second one, the size of the picture. by_picture: outputs to which the mean of the input is added."""
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, *side])]
    nodes, constants = [helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0)], []
    if size_input:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]))
    given = []
    for name, value in outputs.items():
        constants.append(numpy_helper.from_array(value, f"value_{name}"))
        other = ["mean"] if name in by_picture else []
        nodes.append(helper.make_node("Add" if other else "Identity", [f"value_{name}", *other], [name]))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        given.append(helper.make_tensor_value_info(name, kind, [None] * value.ndim))
    graph = helper.make_graph(nodes, "test", inputs, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    said = dict(metadata or {}) | ({} if names is None else {"names": str(names)})
    helper.set_model_props(model, said)
    onnx.save(model, path)
    return path
