#!/usr/bin/env python3
"""Writes tiny BERT checkpoints with random weights, and what transformers computes from them.

    python3 make_bert.py            (torch, transformers, safetensors, numpy)

Each folder holds config.json, the weights, and expected.npz with

    input_ids, attention_mask, token_type_ids   int64 [4, 12], padding at the end
    last_hidden_state          float32 [4, 12, 32], all token types 0
    last_hidden_state_typed    float32 [4, 12, 32], with token_type_ids
    pooler_output              float32 [4, 32], all token types 0; absent where there is no pooler

Rows that the mask hides are zeroed. The reference runs in float64 on the weights as they are
stored, so f16 and bf16 checkpoints are exact too. Weights are far larger than BERT's initial ones,
so that attention and activations are far from linear.
"""
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM, BertModel

HERE = Path(__file__).resolve().parent
B, T = 4, 12
SIZES = dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
             intermediate_size=64, max_position_embeddings=24, type_vocab_size=2)


def randomize(model):
    for name, p in model.named_parameters():
        if "LayerNorm" in name:
            p.data = (1.0 if name.endswith("weight") else 0.0) + 0.2 * torch.randn_like(p)
        else:
            p.data = (0.05 if name.endswith("bias") else 0.25) * torch.randn_like(p)


def inputs():
    lengths = [12, 7, 1, 3]
    ids = torch.randint(1, SIZES["vocab_size"], (B, T))
    mask = torch.tensor([[int(t < n) for t in range(T)] for n in lengths])
    types = torch.tensor([[int(t >= 3) for t in range(T)]] * B)
    return ids * mask, mask, types * mask


def expected(model, folder, has_pooler=True):
    ids, mask, types = inputs()
    model = model.double().eval()
    with torch.no_grad():
        plain = model(input_ids=ids, attention_mask=mask)
        typed = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    visible = mask.unsqueeze(-1)
    arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types,
              "last_hidden_state": plain.last_hidden_state * visible,
              "last_hidden_state_typed": typed.last_hidden_state * visible}
    if has_pooler:
        arrays["pooler_output"] = plain.pooler_output
    np.savez(folder / "expected.npz", **{k: v.numpy().astype(np.int64 if v.dtype == torch.int64
                                                            else np.float32)
                                         for k, v in arrays.items()})


def write(folder, config, tensors, architectures):
    keep = {k: getattr(config, k) for k in (*SIZES, "hidden_act", "layer_norm_eps")}
    keep.update(architectures=architectures, model_type="bert",
                position_embedding_type="absolute")
    (folder / "config.json").write_text(json.dumps(keep, indent=2) + "\n")
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")


def shard(folder, n):
    """Splits model.safetensors into n files and an index, names dealt out in turn."""
    from safetensors.torch import load_file
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, where = sorted(tensors), {}
    for i in range(n):
        file = f"model-{i + 1:05d}-of-{n:05d}.safetensors"
        part = {k: tensors[k] for k in names[i::n]}
        where.update({k: file for k in part})
        save_file(part, folder / file)
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": where}, indent=2) + "\n")


def variant(name, act="gelu", dtype=torch.float32, prefix=False, shards=1, pooler=True,
            gamma=False):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = BertConfig(**SIZES, hidden_act=act, attn_implementation="eager")
    torch.manual_seed(sum(map(ord, name)))
    if prefix:
        whole = BertForMaskedLM(config)
        randomize(whole)
        model = whole.bert
        tensors = {k: v for k, v in whole.state_dict().items() if "cls.predictions.decoder" not in k}
        names = ["BertForMaskedLM"]
    else:
        model = BertModel(config, add_pooling_layer=pooler)
        randomize(model)
        tensors, names = dict(model.state_dict()), ["BertModel"]
    tensors = {k: v.to(dtype) for k, v in tensors.items()}
    model.load_state_dict({k.removeprefix("bert."): v.to(torch.float32) for k, v in tensors.items()
                           if not k.startswith("cls.")})
    if gamma:
        tensors = {k.replace("LayerNorm.weight", "LayerNorm.gamma")
                   .replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in tensors.items()}
        tensors["embeddings.position_ids"] = torch.arange(24).unsqueeze(0)
    write(folder, config, tensors, names)
    if shards > 1:
        shard(folder, shards)
    expected(model, folder, has_pooler=pooler and not prefix)


if __name__ == "__main__":
    variant("plain")
    variant("prefixed", prefix=True, pooler=False)
    variant("f16", dtype=torch.float16)
    variant("bf16", dtype=torch.bfloat16)
    variant("sharded", shards=3)
    variant("gelu_new", act="gelu_new")
    variant("relu", act="relu", pooler=False)
    variant("gamma_beta", act="silu", gamma=True)
