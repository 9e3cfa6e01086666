#!/usr/bin/env python3
"""Checks an exported model against its source: onnx.checker with full_check, then onnxruntime
against sentence-transformers (or transformers, for a folder without modules.json).

    check_export.py MODEL.onnx SOURCE_FOLDER [--tolerance 1e-5]

Not part of the test suite: needs onnx, onnxruntime, torch, transformers, sentence-transformers.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TEXTS = [
    "",
    "a",
    "The quick brown fox jumps over the lazy dog.",
    "Zürich, naïve café — 東京 и Москва",
    "word " * 200,
    "embeddings " * 3,
]


def check_structure(path):
    """What the format, and what this project promises of its files."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    typed = {v.name for v in [*graph.value_info, *graph.input, *graph.output]}
    missing = [o for n in graph.node for o in n.output if o and o not in typed]
    assert not missing, f"no value_info for {missing[:5]}"
    places = set()
    for tensor in graph.initializer:
        size = int(np.prod(list(tensor.dims), dtype=np.int64)) * onnx.helper.tensor_dtype_to_np_dtype(
            tensor.data_type).itemsize
        is_external = tensor.data_location == onnx.TensorProto.EXTERNAL
        assert is_external == (size > 1024), f"{tensor.name}: {size} bytes, external: {is_external}"
        if is_external:
            entries = {e.key: e.value for e in tensor.external_data}
            assert set(entries) == {"location", "offset", "length"}, entries
            assert int(entries["length"]) == size
            assert int(entries["offset"]) % (4096 if size >= 1 << 20 else 64) == 0
            places.add(entries["location"])
    assert len(places) <= 1, f"more than one data file: {places}"
    print(f"{path.name}: opset {model.opset_import[0].version}, {len(graph.node)} nodes, "
          f"{len(graph.initializer)} initializers, data in {places or 'the file'}")
    return model


def reference(folder, texts):
    """Per text: token ids, and the vector; or the hidden states where there is no pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer

    if (Path(folder) / "modules.json").exists():
        model = SentenceTransformer(str(folder), device="cpu")
        encoded = model.tokenizer(texts, padding=True, truncation=True,
                                  max_length=model.max_seq_length, return_tensors="np")
        return encoded, model.encode(texts, convert_to_numpy=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    encoded = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="np")
    with torch.no_grad():
        hidden = model(**{k: torch.from_numpy(v) for k, v in encoded.items()}).last_hidden_state
    return encoded, hidden.numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    args = parser.parse_args()
    check_structure(args.model)
    session = onnxruntime.InferenceSession(str(args.model), providers=["CPUExecutionProvider"])
    encoded, expected = reference(args.source, TEXTS)
    feeds = {i.name: encoded[i.name].astype(np.int64) for i in session.get_inputs()}
    found = session.run([session.get_outputs()[0].name], feeds)[0]
    if expected.ndim == 3:  # padded positions are anyone's guess
        mask = encoded["attention_mask"].astype(bool)
        found, expected = found[mask], expected[mask]
    difference = float(np.abs(found - expected).max())
    print(f"{len(TEXTS)} texts, shape {found.shape}: largest difference {difference:.3g}, "
          f"tolerance {args.tolerance:g}")
    return 0 if difference <= args.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
