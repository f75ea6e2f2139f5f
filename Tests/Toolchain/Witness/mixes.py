"""What types llama.cpp gives the tensors of some shapes of models, for QuantizationMixTests.

mixes.py FOLDER      needs llama-cpp-python; FOLDER is for files in between

A line for each shape and mix: a digest (FNV-1a) of the lines `NAME TYPE` of all tensors, sorted by name.
"""

import ctypes
import sys

import llama_cpp
import numpy as np
from gguf import GGUFReader, GGUFWriter

SHAPES = {
    # architecture, layers, width, feed-forward width, heads, heads of keys, experts, whether there is an output matrix
    "grouped": ("llama", 20, 256, 512, 8, 2, 0, True),
    "tied": ("llama", 33, 256, 256, 8, 8, 0, False),
    "experts": ("llama", 24, 256, 256, 8, 2, 8, True),
    "large": ("llama", 80, 256, 256, 8, 1, 0, True),
    "odd": ("llama", 10, 160, 96, 4, 2, 0, True),
    "few": ("qwen3moe", 12, 256, 128, 8, 2, 6, True),
}
MIXES = {
    "F16": 1, "BF16": 32, "Q8_0": 7, "Q4_0": 2, "Q4_1": 3, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11,
    "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25,
    "IQ4_XS": 30, "MXFP4_MOE": 38, "TQ1_0": 36, "TQ2_0": 37,
}


def make(path, arch, layers, width, hidden, heads, key_heads, experts, has_output):
    w = GGUFWriter(path, arch)
    w.add_block_count(layers)
    w.add_context_length(64)
    w.add_embedding_length(width)
    w.add_feed_forward_length(hidden)
    w.add_head_count(heads)
    w.add_head_count_kv(key_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(8)
    w.add_tokenizer_model("no_vocab")
    if experts:
        w.add_expert_count(experts)
        w.add_expert_used_count(2)

    def add(name, *shape):
        w.add_tensor(name + ".weight", np.ones(shape, dtype=np.float32))

    add("token_embd", 8, width)
    add("output_norm", width)
    if has_output:
        add("output", 8, width)
    for layer in range(layers):
        prefix = f"blk.{layer}."
        for name in ("attn_norm", "ffn_norm"):
            add(prefix + name, width)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(prefix + name, 4, width)
        if experts:
            add(prefix + "ffn_gate_inp", experts, width)
            add(prefix + "ffn_gate_exps", experts, 4, width)
            add(prefix + "ffn_up_exps", experts, 4, width)
            add(prefix + "ffn_down_exps", experts, 4, hidden)
        else:
            add(prefix + "ffn_gate", 4, width)
            add(prefix + "ffn_up", 4, width)
            add(prefix + "ffn_down", 4, hidden)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def digest(path):
    lines = sorted(f"{t.name} {t.tensor_type.name}\n" for t in GGUFReader(path).tensors)
    value = 0xCBF29CE484222325
    for byte in "".join(lines).encode():
        value = (value ^ byte) * 0x100000001B3 & ((1 << 64) - 1)
    return f"{value:016x}"


def main():
    silence = llama_cpp.llama_log_callback(lambda level, text, user: None)
    llama_cpp.llama_log_set(silence, ctypes.c_void_p(0))
    source, target = sys.argv[1] + "/in.gguf", sys.argv[1] + "/out.gguf"
    for shape, numbers in SHAPES.items():
        make(source, *numbers)
        for mix, file_type in MIXES.items():
            options = llama_cpp.llama_model_quantize_default_params()
            options.ftype = file_type
            options.nthread = 1
            code = llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(options))
            print(shape, mix, digest(target) if code == 0 else "refused", flush=True)


main()
