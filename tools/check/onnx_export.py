#!/usr/bin/env python3
"""Checks what `qeff export` writes: onnx_export.py QEFF MODEL [OTHER_QEFF]

The file passes onnx.checker with full_check, has the promised shape, gives the reference's vectors under
onnxruntime, and is the same to the byte when made again, or by another build of the program.
Needs numpy, onnx, onnxruntime, tokenizers."""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tokenizers import Tokenizer

from common import GOLDEN, Report, golden_texts, run, workspace

MAX_TOKENS = 256  # all-MiniLM-L6-v2, sentence_bert_config.json


def export(qeff, model, folder):
    run(qeff, "export", model, "-o", folder)
    files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
    graphs = [p for p in files if p.suffix == ".onnx"]
    if len(graphs) != 1:
        sys.exit(f"expected one ONNX file, found {[p.name for p in files]}")
    return graphs[0], files


def same_files(left, right):
    return [p.name for p in left] == [p.name for p in right] and all(
        a.read_bytes() == b.read_bytes() for a, b in zip(left, right))


def described(values):
    return [(v.name, v.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim])
            for v in values]


def check_shape(report, graph_path):
    graph = onnx.load(str(graph_path), load_external_data=False)
    opsets = [(o.domain, o.version) for o in graph.opset_import]
    report.fact("opset", opsets in ([("", 17)], [("ai.onnx", 17)]), opsets)
    i64, f32 = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    report.fact("inputs", described(graph.graph.input) == [("input_ids", i64, ["batch_size", "seq_len"]),
                                                           ("attention_mask", i64, ["batch_size", "seq_len"])])
    report.fact("output", described(graph.graph.output) == [("output", f32, ["batch_size", 384])],
                described(graph.graph.output))
    typed = {v.name for v in graph.graph.value_info} | {v.name for v in graph.graph.output}
    untyped = [name for node in graph.graph.node for name in node.output if name and name not in typed]
    report.fact("every value has a shape", not untyped, untyped[:3] or f"{len(typed)} values")
    inside = [t.name for t in graph.graph.initializer if len(t.raw_data) > 1024]
    report.fact("tensors over 1,024 bytes lie outside", not inside, inside[:3] or f"{len(graph.graph.initializer)} tensors")


def check_numbers(report, graph_path, model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(graph_path), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    texts, reference = golden_texts(), np.load(GOLDEN / "vectors.npy")
    worst = 0.0
    for text, expected in zip(texts, reference):
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        found = session.run(["output"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
        worst = max(worst, np.abs(found - expected).max())
    report.figure(f"largest difference under onnxruntime {onnxruntime.__version__} over {len(texts)} texts", worst, 1e-5)


def main():
    qeff, model, *others = sys.argv[1:]
    report = Report()
    with workspace() as folder:
        graph_path, files = export(qeff, model, f"{folder}/first")
        onnx.checker.check_model(str(graph_path), full_check=True)
        report.fact(f"onnx.checker {onnx.__version__}, full_check", True)
        check_shape(report, graph_path)
        check_numbers(report, graph_path, model)
        for n, other in enumerate([qeff, *others]):
            report.fact(f"same bytes from {other}", same_files(files, export(other, model, f"{folder}/again{n}")[1]))
    report.close()


if __name__ == "__main__":
    main()
