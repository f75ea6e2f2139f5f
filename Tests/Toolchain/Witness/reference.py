"""A second opinion on whole models: GGUF models of architecture `llama`, computed with numpy in float64.

reference.py logits  --model FILE.gguf --tokens 1,2,3 --out FILE.npy   logits of all positions, float64
reference.py greedy  --model FILE.gguf --tokens 1,2,3 --count N        ids of the greedy continuation
reference.py compare A.npy B.npy                                       NMSE and largest difference

`--tokens` may also name a JSON file with a list of ids. Weights are expanded to float32 by the `gguf` package, so
no rounding of activations enters. Written for clarity: no cache, every position is computed anew.
"""

import argparse
import json
import sys

import numpy as np
from gguf import GGUFReader, quants


class Model:
    def __init__(self, path):
        reader = GGUFReader(path)
        self.fields = {name: field.contents() for name, field in reader.fields.items()}
        if self.value("general.architecture") != "llama":
            sys.exit(f"{path} has architecture {self.value('general.architecture')}; only llama is known here")
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.weights = {}

        self.layers = self.value("llama.block_count")
        self.heads = self.value("llama.attention.head_count")
        self.kv_heads = self.value("llama.attention.head_count_kv", self.heads)
        width = self.value("llama.embedding_length")
        self.head_size = self.value("llama.attention.key_length", width // self.heads)
        self.value_size = self.value("llama.attention.value_length", width // self.heads)
        self.epsilon = self.value("llama.attention.layer_norm_rms_epsilon")
        self.rotated = self.value("llama.rope.dimension_count", self.head_size)
        self.base = self.value("llama.rope.freq_base", 10000.0)
        scaling = self.value("llama.rope.scaling.type", "none")
        if scaling not in ("none", "linear"):
            sys.exit(f"RoPE scaling {scaling} is not known here")
        self.stretch = self.value("llama.rope.scaling.factor", 1.0) if scaling == "linear" else 1.0

    def value(self, key, default=None):
        return self.fields.get(key, default)

    def weight(self, name):
        """A tensor in float64, rows first, or None."""
        if name not in self.weights:
            tensor = self.tensors.get(name)
            if tensor is not None:
                shape = [int(n) for n in reversed(tensor.shape)]
                tensor = quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64).reshape(shape)
            self.weights[name] = tensor
        return self.weights[name]

    def product(self, layer, name, x):
        y = x @ self.weight(f"blk.{layer}.{name}.weight").T
        bias = self.weight(f"blk.{layer}.{name}.bias")
        return y if bias is None else y + bias

    def norm(self, x, name):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.epsilon) * self.weight(name)

    def rotate(self, x):
        """RoPE on neighbouring pairs of x[position, head, element]."""
        pairs = self.rotated // 2
        frequencies = self.base ** (-2.0 * np.arange(pairs) / self.rotated)
        factors = self.weight("rope_freqs.weight")
        if factors is not None:
            frequencies = frequencies / factors
        angles = np.arange(len(x))[:, None] * frequencies / self.stretch
        cosine, sine = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]
        even, odd = x[..., 0 : self.rotated : 2], x[..., 1 : self.rotated : 2]
        y = x.copy()
        y[..., 0 : self.rotated : 2] = even * cosine - odd * sine
        y[..., 1 : self.rotated : 2] = even * sine + odd * cosine
        return y

    def attention(self, layer, x):
        n = len(x)
        q = self.rotate(self.product(layer, "attn_q", x).reshape(n, self.heads, self.head_size))
        k = self.rotate(self.product(layer, "attn_k", x).reshape(n, self.kv_heads, self.head_size))
        v = self.product(layer, "attn_v", x).reshape(n, self.kv_heads, self.value_size)
        future = np.triu(np.ones((n, n), dtype=bool), 1)
        outputs = []
        for head in range(self.heads):
            group = head * self.kv_heads // self.heads
            scores = q[:, head] @ k[:, group].T / np.sqrt(self.head_size)
            scores[future] = -np.inf
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            outputs.append(scores / scores.sum(axis=-1, keepdims=True) @ v[:, group])
        return self.product(layer, "attn_output", np.concatenate(outputs, axis=-1))

    def feed_forward(self, layer, x):
        gate = self.product(layer, "ffn_gate", x)
        return self.product(layer, "ffn_down", gate / (1 + np.exp(-gate)) * self.product(layer, "ffn_up", x))

    def logits(self, tokens):
        x = self.weight("token_embd.weight")[tokens]
        for layer in range(self.layers):
            x = x + self.attention(layer, self.norm(x, f"blk.{layer}.attn_norm.weight"))
            x = x + self.feed_forward(layer, self.norm(x, f"blk.{layer}.ffn_norm.weight"))
        output = self.weight("output.weight")
        if output is None:
            output = self.weight("token_embd.weight")
        return self.norm(x, "output_norm.weight") @ output.T


def token_list(text):
    if text.endswith(".json"):
        with open(text) as file:
            return json.load(file)
    return [int(token) for token in text.split(",")]


def compare(reference, other):
    a, b = (np.load(name).astype(np.float64) for name in (reference, other))
    if a.shape != b.shape:
        sys.exit(f"shapes differ: {a.shape} and {b.shape}")
    error = np.sum((a - b) ** 2) / np.sum(a**2)
    print(f"NMSE {error:.3e} max {np.max(np.abs(a - b)):.3e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("logits", "greedy"):
        command = commands.add_parser(name)
        command.add_argument("--model", required=True)
        command.add_argument("--tokens", required=True, type=token_list)
        if name == "logits":
            command.add_argument("--out", required=True)
        else:
            command.add_argument("--count", required=True, type=int)
    command = commands.add_parser("compare")
    command.add_argument("reference")
    command.add_argument("other")
    arguments = parser.parse_args()

    if arguments.command == "logits":
        np.save(arguments.out, Model(arguments.model).logits(arguments.tokens))
    elif arguments.command == "greedy":
        model, tokens = Model(arguments.model), list(arguments.tokens)
        for _ in range(arguments.count):
            tokens.append(int(np.argmax(model.logits(tokens)[-1])))
        print(",".join(map(str, tokens[-arguments.count :])) if arguments.count else "")
    else:
        compare(arguments.reference, arguments.other)


main()
