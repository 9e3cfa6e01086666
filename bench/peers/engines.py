"""The engines that are compared: each is made from a Setup and gives unit vectors for a list of token id lists. Those
that are faster so (`sorts`) get a ragged batch sorted and cut into calls, each padded to its longest sequence."""
import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import convert
from qeff import Qeff


@dataclass
class Setup:
    """Build folder, model folder, folder of converted models, threads that compute."""
    build: Path
    model: Path
    work: Path
    threads: int


def pad(batch):
    longest = max(map(len, batch))
    ids = np.zeros((len(batch), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(batch):
        ids[row, :len(sequence)] = sequence
        mask[row, :len(sequence)] = 1
    return ids, mask


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def pool(states, mask):
    """Mean over the tokens of each row, scaled to unit length, as the model's modules say."""
    return unit(np.einsum("blh,bl->bh", states, mask.astype(np.float32)) / mask.sum(1, keepdims=True))


class OnnxRuntime:
    sorts = True

    def __init__(self, setup, file=convert.exported):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = setup.threads, 1
        self.version = onnxruntime.__version__
        self.session = onnxruntime.InferenceSession(str(file(setup)), options, providers=["CPUExecutionProvider"])

    def prepare(self, batch):
        ids, mask = pad(batch)
        return {"input_ids": ids, "attention_mask": mask}

    def run(self, prepared):
        return self.session.run(None, prepared)[0]


class OpenVino:
    sorts = True

    def __init__(self, setup, file=convert.exported, precision="f32"):
        import openvino
        path = file(setup)
        self.version = openvino.__version__.split("-")[0]
        compiled = openvino.Core().compile_model(
            str(path / "model.xml" if path.is_dir() else path), "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": setup.threads, "INFERENCE_PRECISION_HINT": precision})
        self.request = compiled.create_infer_request()

    def prepare(self, batch):
        ids, mask = pad(batch)
        return {"input_ids": ids, "attention_mask": mask}

    def run(self, prepared):
        return self.request.infer(prepared, share_inputs=True, share_outputs=True)[0]


class CTranslate2:
    sorts = True

    def __init__(self, setup, compute_type="float32"):
        import ctranslate2
        self.version = ctranslate2.__version__
        self.storage = ctranslate2.StorageView.from_array
        self.encoder = ctranslate2.Encoder(str(convert.ctranslate2(setup)), device="cpu", compute_type=compute_type,
                                           intra_threads=setup.threads, inter_threads=1)
        self.float32 = ctranslate2.DataType.float32

    def prepare(self, batch):
        ids, mask = pad(batch)
        return ids.astype(np.int32), mask.sum(1).astype(np.int32), mask

    def run(self, prepared):
        ids, lengths, mask = prepared
        out = self.encoder.forward_batch(self.storage(ids), lengths=self.storage(lengths)).last_hidden_state
        return pool(np.array(out if out.dtype == self.float32 else out.to(self.float32)), mask)


class Torch:
    sorts = True

    def __init__(self, setup):
        import torch
        torch.set_num_threads(setup.threads)
        self.torch, self.version = torch, torch.__version__
        self.encoder = convert.torch_model(setup.model)

    def prepare(self, batch):
        return [self.torch.from_numpy(a) for a in pad(batch)]

    def run(self, prepared):
        with self.torch.inference_mode():
            return self.encoder(*prepared).numpy()


class TorchCompiled(Torch):
    """Compiled for any shape; that takes about a minute, once a work folder."""

    def __init__(self, setup):
        super().__init__(setup)
        if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2":
            import torch._inductor.config
            torch._inductor.config.cpp.simdlen = 256
        self.encoder = self.torch.compile(self.encoder, dynamic=True)

    def run(self, prepared):
        with self.torch.no_grad():
            return self.encoder(*prepared).numpy()


class LlamaCpp:
    """Sequences are packed without padding, in calls of at most 512 tokens: attention spans all that a call holds."""
    sorts = False
    MOST_TOKENS, MOST_SEQUENCES = 512, 64

    def __init__(self, setup):
        import llama_cpp
        self.api, self.version = llama_cpp, llama_cpp.__version__
        llama_cpp.llama_backend_init()
        self.loaded = llama_cpp.llama_model_load_from_file(str(convert.model_gguf(setup)).encode(),
                                                           llama_cpp.llama_model_default_params())
        options = llama_cpp.llama_context_default_params()
        options.n_seq_max, options.embeddings = self.MOST_SEQUENCES, True
        options.n_batch = options.n_ubatch = self.MOST_TOKENS
        options.n_ctx = self.MOST_SEQUENCES * self.MOST_TOKENS
        options.n_threads = options.n_threads_batch = setup.threads
        self.context = llama_cpp.llama_init_from_model(self.loaded, options)
        self.dim = llama_cpp.llama_model_n_embd(self.loaded)

    def pack(self, sequences):
        batch = self.api.llama_batch_init(self.MOST_TOKENS, 0, 1)
        tokens = [(token, position, row) for row, sequence in enumerate(sequences) for position, token in enumerate(sequence)]
        for at, (token, position, row) in enumerate(tokens):
            batch.token[at], batch.pos[at], batch.n_seq_id[at], batch.logits[at] = int(token), position, 1, 1
            batch.seq_id[at][0] = row
        batch.n_tokens = len(tokens)
        return batch, len(sequences)

    def prepare(self, batch):
        parts, size = [[]], 0
        for sequence in batch:
            if parts[-1] and (size + len(sequence) > self.MOST_TOKENS or len(parts[-1]) == self.MOST_SEQUENCES):
                parts.append([])
                size = 0
            parts[-1].append(sequence)
            size += len(sequence)
        return [self.pack(part) for part in parts]

    def run(self, prepared):
        found = []
        for batch, n in prepared:
            if self.api.llama_encode(self.context, batch):
                raise RuntimeError("llama_encode failed")
            found += [np.ctypeslib.as_array(self.api.llama_get_embeddings_seq(self.context, row), (self.dim,)).copy()
                      for row in range(n)]
        return unit(np.stack(found))


part = functools.partial
ENGINES = {
    "qeff": Qeff, "onnxruntime": OnnxRuntime, "onnxruntime-fused": part(OnnxRuntime, file=convert.fused_onnx),
    "openvino": OpenVino, "ctranslate2": CTranslate2, "pytorch": Torch, "pytorch-compiled": TorchCompiled, "llama.cpp": LlamaCpp,
    "qeff-int8": part(Qeff, precision="int8"), "qeff-int8-mixed": part(Qeff, precision="int8-mixed"),
    "onnxruntime-int8": part(OnnxRuntime, file=convert.int8_onnx),
    "onnxruntime-fused-int8": part(OnnxRuntime, file=convert.fused_int8_onnx),
    "openvino-int8": part(OpenVino, file=convert.openvino_int8),
    "openvino-int8-bf16": part(OpenVino, file=convert.openvino_int8, precision="bf16"),  # bf16 in what is not int8
    "ctranslate2-int8": part(CTranslate2, compute_type="int8_float32"),
    "qeff-bf16": part(Qeff, precision="bf16"), "openvino-bf16": part(OpenVino, precision="bf16"),
    "ctranslate2-bf16": part(CTranslate2, compute_type="bfloat16"),
}
