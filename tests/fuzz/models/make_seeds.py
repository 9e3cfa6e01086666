#!/usr/bin/env python3
"""Writes the seed inputs of the models fuzz target: bundles of small text files."""
import json
from pathlib import Path

OUT = Path(__file__).resolve().parent / "corpus"
CONFIG = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 10, "hidden_size": 8,
          "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
          "max_position_embeddings": 6, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
          "hidden_act": "gelu"}
TYPE = "sentence_transformers.models."
POOL = {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True}
DENSE = {"in_features": 8, "out_features": 8, "bias": True,
         "activation_function": "torch.nn.modules.activation.Tanh"}
PATHS = {"Transformer": "", "Pooling": "1_Pooling", "Dense": "2_Dense", "Normalize": "3_Normalize",
         "LayerNorm": "4_LayerNorm", "Dropout": "5_Dropout"}


def modules(*names):
    return [{"idx": i, "name": str(i), "path": PATHS[n], "type": TYPE + n}
            for i, n in enumerate(names)]


def write(name, files):
    text = "".join(f"=== {k}\n{v if isinstance(v, str) else json.dumps(v)}\n" for k, v in files.items())
    (OUT / name).write_text(text)


def main():
    OUT.mkdir(exist_ok=True)
    base = {"config.json": CONFIG}
    full = {**base, "modules.json": modules("Transformer", "Pooling", "Normalize"),
            "1_Pooling/config.json": POOL}
    write("plain", base)
    write("full", full)
    write("new", {**full, "1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode":
                                                     ["cls", "max", "lasttoken", "weightedmean"]},
                  "3_Normalize/config.json": {"module_input_name": "sentence_embedding"}})
    write("dense", {**full, "modules.json": modules("Transformer", "Pooling", "Dense", "LayerNorm",
                                                    "Dropout", "Normalize"),
                    "2_Dense/config.json": {**DENSE, "use_residual": True},
                    "4_LayerNorm/config.json": {"dimension": 8}})
    write("dense_tokens", {**full, "modules.json": modules("Transformer", "Dense", "Pooling"),
                           "2_Dense/config.json": {**DENSE, "module_input_name":
                                                   "token_embeddings", "bias": False}})
    write("settings", {**full, "sentence_bert_config.json": {
        "max_seq_length": 5, "do_lower_case": True, "transformer_task": "feature-extraction",
        "modality_config": {"text": {"method": "forward"}}, "processing_kwargs": {
            "text": {"max_length": 4, "truncation": True}}, "tokenizer_args": {
            "model_max_length": 3}},
        "tokenizer_config.json": {"model_max_length": 10 ** 30},
        "config_sentence_transformers.json": {
            "prompts": {"query": "q: ", "none": None}, "default_prompt_name": "query",
            "similarity_fn_name": "dot", "truncate_dim": 4}})
    write("limits", {**base, "config.json": {**CONFIG, "hidden_size": 2 ** 31,
                                             "num_hidden_layers": 10 ** 9}})
    write("hostile_path", {**base, "modules.json": [{"path": "../../x\0y", "type": TYPE + "Dense"}]})
    write("truncated", {**full, "modules.json": "[{\"idx\": 0, \"name\": \"0\", \"pa"})
    write("no_architecture", {"config.json": {"architectures": []}})


if __name__ == "__main__":
    main()
