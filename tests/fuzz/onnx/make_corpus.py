#!/usr/bin/env python3
"""Writes the seed corpus of the ONNX fuzz target: one small model for each operator and form.

    make_corpus.py [FOLDER]      needs the onnx package
"""
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto as T, helper as h, numpy_helper

F, I = T.FLOAT, T.INT64


def model(nodes, inputs, outputs, initializers=(), opset=17, ir=8, **more):
    graph = h.make_graph(
        nodes, "g",
        [h.make_tensor_value_info(n, t, s) for n, t, s in inputs],
        [h.make_tensor_value_info(n, t, s) for n, t, s in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in initializers])
    return h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=ir,
                        producer_name="seed", **more)


def unary(op, opset=17, t=F, out=F, shape=("N", 4), out_shape=None, **attributes):
    return model([h.make_node(op, ["x"], ["y"], name="n", **attributes)], [("x", t, shape)],
                 [("y", out, out_shape)], opset=opset)


def binary(op, weight, opset=17, t=F, out=F, **attributes):
    return model([h.make_node(op, ["x", "w"], ["y"], name="n", **attributes)],
                 [("x", t, ("N", 4))], [("y", out, None)], [("w", weight)], opset=opset)


def seeds():
    four = np.arange(4, dtype=np.float32)
    for op in ("Neg", "Abs", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Tanh", "Sigmoid", "Relu",
               "Softplus", "Identity", "LeakyRelu", "Elu", "Flatten", "Softmax"):
        yield op, unary(op)
    for op in ("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"):
        yield op, binary(op, four)
    for op in ("Equal", "Less", "Greater"):
        yield op, binary(op, four, out=T.BOOL)
    yield "Not", unary("Not", t=T.BOOL, out=T.BOOL)
    yield "Cast", unary("Cast", out=I, to=I)
    yield "Shape", unary("Shape", out=I, start=-1)
    yield "Transpose", unary("Transpose", perm=[1, 0])
    yield "ArgMax", unary("ArgMax", out=I, axis=-1, keepdims=0)
    for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"):
        yield op + "-17", unary(op, axes=[1], keepdims=0)
        yield op + "-18", binary(op, np.array([1]), opset=18)
    yield "ReduceSum", binary("ReduceSum", np.array([1]), keepdims=0)
    yield "ReduceSum-11", unary("ReduceSum", opset=11, axes=[1])
    yield "Unsqueeze", binary("Unsqueeze", np.array([1]))
    yield "Unsqueeze-11", unary("Unsqueeze", opset=11, axes=[1])
    yield "Squeeze", unary("Squeeze", shape=(1, 4))
    yield "Reshape", binary("Reshape", np.array([0, 2, -1]))
    yield "Expand", binary("Expand", np.array([3, 1, 4]))
    yield "CumSum", binary("CumSum", np.array(1), exclusive=1, reverse=1)
    yield "MatMul", binary("MatMul", np.ones((4, 2), np.float32))
    yield "Gemm", binary("Gemm", np.ones((2, 4), np.float32), transB=1, alpha=0.5)
    yield "LayerNormalization", binary("LayerNormalization", four, epsilon=1e-12)
    yield "Clip", model([h.make_node("Clip", ["x", "", "w"], ["y"])], [("x", F, ("N", 4))],
                        [("y", F, None)], [("w", np.float32(3))])
    yield "Concat", model([h.make_node("Concat", ["x", "x"], ["y"], axis=1)],
                          [("x", F, ("N", 4))], [("y", F, ("N", 8))])
    yield "Where", model([h.make_node("Where", ["c", "x", "w"], ["y"])],
                         [("c", T.BOOL, ("N", 4)), ("x", F, ("N", 4))], [("y", F, None)], [("w", four)])
    yield "And", model([h.make_node("And", ["x", "c"], ["y"])],
                       [("c", T.BOOL, ("N",)), ("x", T.BOOL, ("N",))], [("y", T.BOOL, ("N",))])
    yield "Slice", model([h.make_node("Slice", ["x", "b", "e", "a", "s"], ["y"])],
                         [("x", F, ("N", 4))], [("y", F, None)],
                         [("b", np.array([-1])), ("e", np.array([-100])), ("a", np.array([1])),
                          ("s", np.array([-1]))])
    yield "Gather", model([h.make_node("Gather", ["w", "x"], ["y"])], [("x", I, ("B", "T"))],
                          [("y", F, ("B", "T", 2))], [("w", np.ones((5, 2), np.float32))])
    yield "GatherElements", model([h.make_node("GatherElements", ["x", "i"], ["y"], axis=1)],
                                  [("x", F, ("N", 4)), ("i", I, ("N", 1))], [("y", F, None)])
    yield "Range", model([h.make_node("Range", ["a", "x", "b"], ["y"])], [("x", I, ())],
                         [("y", I, None)], [("a", np.array(0)), ("b", np.array(2))])
    for opset, attributes in ((11, {"split": [1, 3]}), (13, {}), (18, {"num_outputs": 2})):
        yield f"Split-{opset}", model([h.make_node("Split", ["x"], ["a", "b"], axis=1, **attributes)],
                                      [("x", F, ("N", 4))], [("a", F, None), ("b", F, None)], opset=opset)
    fill = numpy_helper.from_array(np.array([7]))
    yield "ConstantOfShape", model([h.make_node("Shape", ["x"], ["s"]),
                                    h.make_node("ConstantOfShape", ["s"], ["y"], value=fill)],
                                   [("x", F, ("N", 4))], [("y", I, None)])
    for name, attributes in (("value", {"value": numpy_helper.from_array(four)}), ("float", {"value_float": 2.0}),
                             ("floats", {"value_floats": [1.0, 2.0, 3.0, 4.0]})):
        yield f"Constant-{name}", model([h.make_node("Constant", [], ["c"], **attributes),
                                         h.make_node("Add", ["x", "c"], ["y"])],
                                        [("x", F, ("N", 4))], [("y", F, None)])
    for dtype in (np.float64, np.float16, np.int32, np.int16, np.int8, np.uint64, np.uint32, np.uint16, np.uint8, bool):
        yield f"dtype-{np.dtype(dtype).name}", model(
            [h.make_node("Cast", ["w"], ["y"], to=F)], [], [("y", F, (4,))], [("w", np.ones(4, dtype))])
    typed = model([h.make_node("Add", ["x", "w"], ["y"])], [("x", F, ("N", 4))], [("y", F, None)])
    for t, values in ((F, [1.0, 2.0, 3.0, 4.0]), (T.FLOAT16, [1.0] * 4), (I, [1, -2, 3, 4])):
        m = model([h.make_node("Cast", ["w"], ["y"], to=F)], [], [("y", F, (4,))])
        m.graph.initializer.append(h.make_tensor("w", t, [4], values))
        yield f"typed-{t}", m
    m = model([h.make_node("If", ["c"], ["y"], then_branch=typed.graph, else_branch=typed.graph)],
              [("c", T.BOOL, ()), ("x", F, ("N", 4))], [("y", F, None)])
    yield "If", m
    m = model([h.make_node("Add", ["x", "w"], ["y"])], [("x", F, ("N", 4))], [("y", F, None)])
    external = m.graph.initializer.add(name="w", data_type=F, dims=[4], data_location=T.EXTERNAL)
    for key, value in (("location", "../w.data"), ("offset", "64"), ("length", "16")):
        external.external_data.add(key=key, value=value)
    yield "external", m
    m = unary("Neg", out_shape=("N", 4))
    m.metadata_props.add(key="k", value="v")
    m.functions.add(name="f", domain="d")
    yield "functions", m
    m = model([h.make_node("Foo", ["x"], ["y"], domain="com.example")], [("x", F, ("N", 4))], [("y", F, None)])
    m.opset_import.append(h.make_opsetid("com.example", 1))
    yield "domain", m


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "corpus")
    folder.mkdir(exist_ok=True)
    for name, seed in seeds():
        (folder / f"{name}.onnx").write_bytes(seed.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
