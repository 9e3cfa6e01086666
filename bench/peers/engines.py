"""The engines that peers.py compares: each is made from a model folder and gives unit vectors for a list of token id
lists, in fp32 on a given number of threads. Those that are faster so (`sorts`) get a ragged batch sorted and cut into calls, each
padded to its longest sequence."""
import ctypes
import json
import subprocess
import sys
from pathlib import Path

import numpy as np


def pad(batch):
    longest = max(map(len, batch))
    ids = np.zeros((len(batch), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(batch):
        ids[row, :len(sequence)] = sequence
        mask[row, :len(sequence)] = 1
    return ids, mask


def pool(states, mask):
    """Mean over the tokens of each row, scaled to unit length, as the model's modules say."""
    vectors = np.einsum("blh,bl->bh", states, mask.astype(np.float32)) / mask.sum(1, keepdims=True)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Embeddings(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("dim", ctypes.c_size_t), ("values", ctypes.POINTER(ctypes.c_float))]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1024), ("hint", ctypes.c_char * 256)]


class Options(ctypes.Structure):
    """qeff_auto_model_options up to n_threads, and room for what follows."""
    _fields_ = [("pooling", ctypes.c_char_p), ("normalize", ctypes.c_int), ("with_token_type_ids", ctypes.c_bool),
                ("target", ctypes.c_char_p), ("n_threads", ctypes.c_int), ("rest", ctypes.c_char * 256)]


class Qeff:
    sorts = False

    def __init__(self, build, model, work, threads):
        self.lib = ctypes.CDLL(str(build / "src/libqeff.so"))
        self.lib.qeff_version.restype = self.lib.qeff_cpu_level.restype = ctypes.c_char_p
        self.version = f"{self.lib.qeff_version().decode()}, {self.lib.qeff_cpu_level().decode()}"
        self.error, self.model = Error(), ctypes.c_void_p()
        options = Options(n_threads=threads)
        self.check(self.lib.qeff_auto_model_from_pretrained(str(model).encode(), ctypes.byref(options),
                                                            ctypes.byref(self.model), ctypes.byref(self.error)))

    def check(self, status):
        if status:
            raise RuntimeError(self.error.message.decode())

    def prepare(self, batch):
        ids = np.concatenate([np.asarray(s, np.int64) for s in batch])
        offsets = np.concatenate([[0], np.cumsum([len(s) for s in batch])]).astype(np.uint64)
        return ids, offsets

    def run(self, prepared):
        ids, offsets = prepared
        out = ctypes.POINTER(Embeddings)()
        self.check(self.lib.qeff_auto_model_encode_ids(
            self.model, ids.ctypes.data_as(ctypes.c_void_p), offsets.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_size_t(len(offsets) - 1), None, ctypes.byref(out), ctypes.byref(self.error)))
        e = out.contents
        vectors = np.ctypeslib.as_array(e.values, (e.count, e.dim)).copy()
        self.lib.qeff_embeddings_destroy(out)
        return vectors

    def probe(self, threads):
        """FLOP/s of the multiply-adds that the cores do now."""
        flops = ctypes.c_double()
        self.check(self.lib.qeff_cpu_probe(ctypes.c_int(threads), ctypes.c_double(0.01), ctypes.byref(flops),
                                           ctypes.byref(self.error)))
        return flops.value


def export(build, model, work):
    """The file that qeff export writes: ids and mask to vectors, opset 17, plain operators."""
    path = work / "export.path"
    if not path.exists():
        done = subprocess.run([build / "cli/qeff", "export", model, "-o", work / "onnx"], check=True,
                              stdout=subprocess.PIPE, text=True)
        path.write_text(done.stdout.strip())
    return Path(path.read_text())


class OnnxRuntime:
    sorts = True

    def __init__(self, build, model, work, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.version = onnxruntime.__version__
        self.session = onnxruntime.InferenceSession(str(self.file(build, model, work)), options,
                                                    providers=["CPUExecutionProvider"])

    def file(self, build, model, work):
        return export(build, model, work)

    def prepare(self, batch):
        ids, mask = pad(batch)
        return {"input_ids": ids, "attention_mask": mask}

    def run(self, prepared):
        return self.session.run(None, prepared)[0]


def torch_model(model):
    """BERT with its pooling, as sentence-transformers runs it."""
    import torch
    import transformers
    inner = transformers.AutoModel.from_pretrained(model, dtype=torch.float32, attn_implementation="sdpa").eval()

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask):
            states = self.inner(input_ids=input_ids, attention_mask=attention_mask)[0]
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            vectors = (states * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(vectors, p=2, dim=1)

    return Encoder().eval()


class OnnxRuntimeFused(OnnxRuntime):
    """With the fusions for BERT that onnxruntime's own optimizer makes out of PyTorch's export."""

    def file(self, build, model, work):
        path = work / "fused.onnx"
        if path.exists():
            return path
        import torch
        from onnxruntime.transformers import optimizer
        config = json.loads((model / "config.json").read_text())
        encoder = torch_model(model)
        encoder.inner.set_attn_implementation("eager")
        ids = torch.randint(1000, 2000, (2, 16))
        mask = torch.ones_like(ids)
        mask[1, 10:] = 0
        axes = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask")}
        torch.onnx.export(encoder, (ids, mask), str(work / "torch.onnx"), input_names=list(axes), output_names=["vectors"],
                          dynamic_axes=axes | {"vectors": {0: "batch"}}, opset_version=17, dynamo=False)
        fused = optimizer.optimize_model(str(work / "torch.onnx"), model_type="bert", opt_level=0,
                                         num_heads=config["num_attention_heads"], hidden_size=config["hidden_size"])
        counts = {k: v for k, v in fused.get_fused_operator_statistics().items() if v}
        if not counts.get("Attention"):
            raise RuntimeError(f"the optimizer fused no attention: {counts}")
        print(f"onnxruntime fused: {counts}", file=sys.stderr)
        fused.save_model_to_file(str(path))
        return path


class OpenVino:
    sorts = True

    def __init__(self, build, model, work, threads):
        import openvino
        self.version = openvino.__version__.split("-")[0]
        compiled = openvino.Core().compile_model(
            str(export(build, model, work)), "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"})
        self.request = compiled.create_infer_request()

    def prepare(self, batch):
        ids, mask = pad(batch)
        return {"input_ids": ids, "attention_mask": mask}

    def run(self, prepared):
        return self.request.infer(prepared, share_inputs=True, share_outputs=True)[0]


class CTranslate2:
    sorts = True

    def __init__(self, build, model, work, threads):
        import ctranslate2
        folder = work / "ctranslate2"
        if not folder.exists():
            ctranslate2.converters.TransformersConverter(str(model)).convert(str(folder))
        self.version = ctranslate2.__version__
        self.storage = ctranslate2.StorageView.from_array
        self.encoder = ctranslate2.Encoder(str(folder), device="cpu", compute_type="float32", intra_threads=threads,
                                           inter_threads=1)

    def prepare(self, batch):
        ids, mask = pad(batch)
        return ids.astype(np.int32), mask.sum(1).astype(np.int32), mask

    def run(self, prepared):
        ids, lengths, mask = prepared
        out = self.encoder.forward_batch(self.storage(ids), lengths=self.storage(lengths))
        return pool(np.array(out.last_hidden_state), mask)


class Torch:
    sorts = True

    def __init__(self, build, model, work, threads):
        import torch
        torch.set_num_threads(threads)
        self.torch, self.version = torch, torch.__version__
        self.encoder = torch_model(model)

    def prepare(self, batch):
        return [self.torch.from_numpy(a) for a in pad(batch)]

    def run(self, prepared):
        with self.torch.inference_mode():
            return self.encoder(*prepared).numpy()


ENGINES = {"qeff": Qeff, "onnxruntime": OnnxRuntime, "onnxruntime-fused": OnnxRuntimeFused, "openvino": OpenVino,
           "ctranslate2": CTranslate2, "pytorch": Torch}
