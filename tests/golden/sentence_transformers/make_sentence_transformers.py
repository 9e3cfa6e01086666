#!/usr/bin/env python3
"""Writes tiny sentence-transformers folders with random weights, and what the reference computes.

    python3 make_sentence_transformers.py      (torch, transformers, sentence-transformers, numpy)

texts.json holds the texts, a list of strings. Each folder is a model with expected.npz:

    input_ids, attention_mask   int64 [n, T]: the texts as the reference tokenizes them, cut to
                                max_seq_length, with the default prompt in front
    vectors                     float32 [n, dim]: encode(texts)
    vectors_normalized          float32 [n, dim]: encode(texts, normalize_embeddings=True)
    vectors_query               float32 [n, dim]: encode(texts, prompt_name="query"); folder
                                "prompts" only
    hidden_states               float32 [n, T, 16], zero where the mask is 0: before all modules;
                                folder "new_mean" only
    max_seq_length              int64 []

Folders whose name starts with old_ use the files of releases up to 5.3 (one flag for each pooling
mode), all others those from 5.4 on. The reference runs in float64. The encoder is the same in all
folders; it is small, and far from linear.
"""
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

HERE = Path(__file__).resolve().parent
H = 16
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", ":", ",", ".",
         "!", *(f"##{c}" for c in "aeinorstdlymgh"), "the", "cat", "dog", "sat", "on", "query",
         "passage", "##ing"]
TEXTS = ["", " ", "a", "the cat sat on the dog", "THE CAT", "singing dogs!", "\u65e5\u672c a",
         "the dog, the cat, the dog, the cat, the dog, the cat, the dog, the cat.", "on: query"]
NEW = "sentence_transformers.sentence_transformer.modules."
OLD = "sentence_transformers.models."
BASE = "sentence_transformers.base.modules."


def dump(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_tokenizer(folder, limit):
    t = Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = decoders.WordPiece()
    t.add_special_tokens(WORDS[:5])
    (folder / "tokenizer.json").write_text(t.to_str())
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]",
              "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]",
              "mask_token": "[MASK]"}
    if limit:
        config["model_max_length"] = limit
    dump(folder / "tokenizer_config.json", config)


def write_encoder(folder):
    sizes = dict(vocab_size=len(WORDS), hidden_size=H, num_hidden_layers=1, num_attention_heads=2,
                 intermediate_size=24, max_position_embeddings=24, type_vocab_size=2)
    torch.manual_seed(7)
    model = BertModel(BertConfig(**sizes), add_pooling_layer=False)
    for name, p in model.named_parameters():
        if "LayerNorm" in name:
            p.data = float(name.endswith("weight")) + 0.2 * torch.randn_like(p)
        else:
            p.data = (0.05 if name.endswith("bias") else 0.35) * torch.randn_like(p)
    save_file(dict(model.state_dict()), folder / "model.safetensors")
    dump(folder / "config.json", {**sizes, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
                                  "architectures": ["BertModel"], "model_type": "bert"})


def pooling_old(*modes):
    flags = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens",
             "weightedmean_tokens", "lasttoken"]
    return OLD + "Pooling", {"word_embedding_dimension": H,
                             **{f"pooling_mode_{f}": f in modes for f in flags}}, None


def pooling(mode, width=H):
    return NEW + "pooling.Pooling", {"embedding_dimension": width, "pooling_mode": mode,
                                     "include_prompt": True}, None


def dense(n_in, n_out, act, bias=True, residual=False, feature=None, base=BASE + "dense."):
    g = torch.Generator().manual_seed(n_in * 100 + n_out + len(act))
    tensors = {"linear.weight": 0.4 * torch.randn(n_out, n_in, generator=g)}
    if bias:
        tensors["linear.bias"] = 0.3 * torch.randn(n_out, generator=g)
    config = {"in_features": n_in, "out_features": n_out, "bias": bias, "activation_function": act}
    if residual:
        config["use_residual"] = True
        if n_in != n_out:
            tensors["residual.weight"] = 0.4 * torch.randn(n_out, n_in, generator=g)
    if feature:
        config["module_input_name"] = config["module_output_name"] = feature
    return base + "Dense", config, tensors


def layer_norm(n):
    g = torch.Generator().manual_seed(n)
    return NEW + "layer_norm.LayerNorm", {"dimension": n}, {
        "norm.weight": 1 + 0.3 * torch.randn(n, generator=g),
        "norm.bias": 0.3 * torch.randn(n, generator=g)}


def normalize(base=BASE + "normalize.", config=None):
    return base + "Normalize", config, None


def reference(folder, with_query):
    model = SentenceTransformer(str(folder), device="cpu").double()
    batch = model.preprocess(TEXTS, prompt=model.prompts.get(model.default_prompt_name))
    with torch.no_grad():
        hidden = model[0](dict(batch))["token_embeddings"] * batch["attention_mask"].unsqueeze(-1)
    arrays = {"input_ids": batch["input_ids"].numpy(),
              "attention_mask": batch["attention_mask"].numpy(),
              "vectors": model.encode(TEXTS).astype(np.float32),
              "vectors_normalized":
                  model.encode(TEXTS, normalize_embeddings=True).astype(np.float32),
              "max_seq_length": np.int64(model.max_seq_length)}
    if folder.name == "new_mean":
        arrays["hidden_states"] = hidden.numpy().astype(np.float32)
    if with_query:
        arrays["vectors_query"] = model.encode(TEXTS, prompt_name="query").astype(np.float32)
    np.savez(folder / "expected.npz", **arrays)


def write(name, *modules, settings=None, transformer=None, limit=None, where="", with_modules=True):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / where).mkdir(parents=True)
    write_encoder(folder / where)
    write_tokenizer(folder / where, limit)
    is_old = name.startswith("old_")
    entries = [(OLD + "Transformer" if is_old else BASE + "transformer.Transformer", where)]
    for i, (kind, config, tensors) in enumerate(modules, 1):
        path = f"{i}_{kind.rsplit('.', 1)[1]}"
        entries.append((kind, path))
        if config is not None:
            dump(folder / path / "config.json", config)
        if tensors:
            save_file(tensors, folder / path / "model.safetensors")
    if with_modules:
        dump(folder / "modules.json", [{"idx": i, "name": str(i), "path": p, "type": t}
                                       for i, (t, p) in enumerate(entries)])
        base = {"max_seq_length": 16, "do_lower_case": False} if is_old else {
            "transformer_task": "feature-extraction",
            "modality_config": {"text": {"method": "forward",
                                         "method_output_name": "last_hidden_state"}},
            "module_output_name": "token_embeddings"}
        dump(folder / where / "sentence_bert_config.json",
             base if transformer is None else {**base, **transformer})
    if settings is not None:
        dump(folder / "config_sentence_transformers.json", settings)
    reference(folder, with_query=bool(settings and settings.get("prompts")))


def main():
    dump(HERE / "texts.json", TEXTS)
    torch_act, torch_lin = "torch.nn.modules.activation.", "torch.nn.modules.linear."
    for mode in ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]:
        write(f"new_{mode}", pooling(mode))
    for mode in ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens",
                 "weightedmean_tokens", "lasttoken"]:
        write(f"old_{mode}", pooling_old(mode))
    write("old_none_set", pooling_old())
    write("old_concat", pooling_old("mean_tokens", "cls_token", "max_tokens", "lasttoken"))
    write("new_concat", pooling(["mean", "weightedmean", "cls"]))
    write("old_dense_tanh", pooling_old("mean_tokens"),
          dense(H, 12, torch_act + "Tanh", base=OLD), normalize(OLD))
    write("dense_identity", pooling("mean"), dense(H, 12, torch_lin + "Identity"))
    write("dense_no_bias", pooling("cls"), dense(H, 20, torch_act + "GELU", bias=False))
    write("dense_residual", pooling("mean"), dense(H, H, torch_act + "ReLU", residual=True))
    write("dense_projected", pooling("mean"), dense(H, 8, torch_act + "SiLU", residual=True))
    write("dense_twice", pooling("mean"), dense(H, 24, torch_act + "Sigmoid"),
          dense(24, H, torch_lin + "Identity", bias=False), normalize(config={}))
    write("dense_tokens", dense(H, 12, torch_act + "Tanh", feature="token_embeddings"),
          normalize(config={"module_input_name": "token_embeddings",
                            "module_output_name": "token_embeddings"}), pooling("max", 12))
    write("layer_norm", pooling("mean"), layer_norm(H), normalize())
    write("dropout", pooling("mean"), (NEW + "dropout.Dropout", {"dropout": 0.2}, None),
          normalize())
    write("prompts", pooling("mean"), normalize(),
          settings={"prompts": {"query": "query: ", "passage": "passage: "},
                    "default_prompt_name": "passage", "similarity_fn_name": "dot"},
          transformer={"processor_kwargs": {"model_max_length": 12}})
    write("truncate_dim", pooling("mean"), normalize(), settings={"truncate_dim": 6}, limit=20)
    write("no_modules", with_modules=False, limit=10)
    write("old_subfolder", pooling_old("mean_tokens"), normalize(OLD), where="0_Transformer")


if __name__ == "__main__":
    main()
