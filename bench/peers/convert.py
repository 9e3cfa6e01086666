"""The files that the peers need, made from the model folder on the first call and kept in the work folder."""
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import texts

N_CALIBRATION = 300


def kept(name):
    """Makes `write(setup, path)` a function of the setup that returns the path of this name in the work folder, and writes
    only what is not there, under another name until it is whole."""
    def wrap(write):
        @functools.wraps(write)
        def path_of(setup):
            path = setup.work / name
            if not path.exists():
                fresh = path.with_name("making-" + name)
                write(setup, fresh)
                os.replace(fresh, path)
            return path
        return path_of
    return wrap


def exported(setup):
    """The file that qeff export writes: ids and mask to vectors, opset 17, plain operators."""
    note = setup.work / "export.path"
    if not note.exists():
        done = subprocess.run([setup.build / "cli/qeff", "export", setup.model, "-o", setup.work / "onnx"], check=True,
                              stdout=subprocess.PIPE, text=True)
        note.write_text(done.stdout.strip())
    return Path(note.read_text())


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


@kept("torch.onnx")
def torch_onnx(setup, path):
    """PyTorch's export."""
    import torch
    encoder = torch_model(setup.model)
    encoder.inner.set_attn_implementation("eager")
    ids = torch.randint(1000, 2000, (2, 16))
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    axes = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask")}
    torch.onnx.export(encoder, (ids, mask), str(path), input_names=list(axes), output_names=["vectors"],
                      dynamic_axes=axes | {"vectors": {0: "batch"}}, opset_version=17, dynamo=False)


@kept("fused.onnx")
def fused_onnx(setup, path):
    """With the fusions for BERT that onnxruntime's own optimizer makes out of PyTorch's export."""
    from onnxruntime.transformers import optimizer
    config = json.loads((setup.model / "config.json").read_text())
    fused = optimizer.optimize_model(str(torch_onnx(setup)), model_type="bert", opt_level=0,
                                     num_heads=config["num_attention_heads"], hidden_size=config["hidden_size"])
    counts = {k: v for k, v in fused.get_fused_operator_statistics().items() if v}
    if not counts.get("Attention"):
        raise RuntimeError(f"the optimizer fused no attention: {counts}")
    print(f"onnxruntime fused: {counts}", file=sys.stderr)
    fused.save_model_to_file(str(path))


def quantize_dynamic(source, path):
    """int8 weights by output channel; all 8 bits, which VNNI multiplies without saturation."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic as quantize
    quantize(str(source), str(path), per_channel=True, reduce_range=False, weight_type=QuantType.QInt8,
             extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


@kept("int8.onnx")
def int8_onnx(setup, path):
    """PyTorch's export, quantised by onnxruntime."""
    quantize_dynamic(torch_onnx(setup), path)


@kept("fused-int8.onnx")
def fused_int8_onnx(setup, path):
    """The fused graph, quantised by onnxruntime."""
    quantize_dynamic(fused_onnx(setup), path)


def tokenized(setup, lines, most=128):
    """Id lists of texts, cut to `most` tokens."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(setup.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return [encoding.ids for encoding in tokenizer.encode_batch(lines)]


@kept("openvino-int8")
def openvino_int8(setup, path):
    """By nncf.quantize on 300 sentences that no figure is taken from."""
    import nncf
    import openvino
    data = [{"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
            for ids in tokenized(setup, texts.sentences()[-N_CALIBRATION:])]
    model = nncf.quantize(openvino.convert_model(str(torch_onnx(setup))), nncf.Dataset(data),
                          model_type=nncf.ModelType.TRANSFORMER)
    path.mkdir(exist_ok=True)
    openvino.save_model(model, str(path / "model.xml"), compress_to_fp16=False)


@kept("ctranslate2")
def ctranslate2(setup, path):
    """The numbers to compute in are chosen when it is loaded."""
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(str(setup.model)).convert(str(path), force=True)


@kept("sentence-transformers")
def sentence_transformers(setup, path):
    """Links to the model folder, and the folder of Normalize, which may be missing there."""
    path.mkdir(exist_ok=True)
    for file in setup.model.iterdir():
        link = path / file.name
        if not link.is_symlink():
            link.symlink_to(file.resolve())
    (path / "2_Normalize").mkdir(exist_ok=True)


# --- GGUF, for llama.cpp ------------------------------------------------------------------------------------------

EMBEDDINGS = {"token_embd.weight": "word_embeddings.weight", "position_embd.weight": "position_embeddings.weight",
              "token_types.weight": "token_type_embeddings.weight", "token_embd_norm.weight": "LayerNorm.weight",
              "token_embd_norm.bias": "LayerNorm.bias"}
LAYER = {"attn_q": "attention.self.query", "attn_k": "attention.self.key", "attn_v": "attention.self.value",
         "attn_output": "attention.output.dense", "attn_output_norm": "attention.output.LayerNorm",
         "ffn_up": "intermediate.dense", "ffn_down": "output.dense", "layer_output_norm": "output.LayerNorm"}


def gguf_vocabulary(writer, model):
    """Word pieces in the form that llama.cpp wants: those that begin a word with a mark, the others without ##."""
    tokens, types = [], []
    for token in (model / "vocab.txt").read_text().splitlines():
        special = token.startswith("[") and token.endswith("]") and len(token) > 2
        tokens.append((token[2:] if token.startswith("##") else token if special else "\u2581" + token).encode())
        types.append(3 if special else 1)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for role, token in (("bos", "[CLS]"), ("eos", "[SEP]"), ("sep", "[SEP]"), ("unk", "[UNK]"), ("pad", "[PAD]"),
                        ("mask", "[MASK]")):
        getattr(writer, f"add_{role}_token_id")(tokens.index(token.encode()))


@kept("model.gguf")
def model_gguf(setup, path):
    """The weights as they are."""
    import gguf
    from safetensors.numpy import load_file
    config, tensors = json.loads((setup.model / "config.json").read_text()), load_file(setup.model / "model.safetensors")
    writer = gguf.GGUFWriter(str(path), "bert")
    writer.add_name("model")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_file_type(0)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])
    gguf_vocabulary(writer, setup.model)
    names = {key: "embeddings." + value for key, value in EMBEDDINGS.items()}
    for i in range(config["num_hidden_layers"]):
        names |= {f"blk.{i}.{key}.{part}": f"encoder.layer.{i}.{value}.{part}" for key, value in LAYER.items()
                  for part in ("weight", "bias")}
    for key, value in names.items():
        writer.add_tensor(key, tensors[value].astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
