"""A second opinion on whole models: GGUF models of the architectures below, computed with numpy in float64.

reference.py logits  --model FILE.gguf --tokens 1,2,3 --out FILE.npy   logits of all positions, float64
reference.py greedy  --model FILE.gguf --tokens 1,2,3 --count N        ids of the greedy continuation
reference.py compare A.npy B.npy                                       NMSE and largest difference

`--tokens` may also name a JSON file with a list of ids, `--context` is how many tokens there is room for. Weights are
expanded to float32 by the `gguf` package, so no rounding of activations enters. Written for clarity: no cache, every
position is computed anew.
"""

import argparse
import json
import math
import sys

import numpy as np
from gguf import GGUFReader, quants

KNOWN = {
    "bitnet", "bitnet-25", "gemma", "gemma2", "gemma3", "gpt-oss", "llama", "mistral3", "olmoe", "phi3", "qwen2",
    "qwen3", "qwen3moe", "smollm3",
}


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Model:
    def __init__(self, path, context=0):
        reader = GGUFReader(path)
        self.fields = {name: field.contents() for name, field in reader.fields.items()}
        self.architecture = self.fields["general.architecture"]
        if self.architecture not in KNOWN:
            sys.exit(f"{path} has architecture {self.architecture}; known here: {', '.join(sorted(KNOWN))}")
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.weights = {}
        self.context = context
        self.layers = self.value("block_count")
        self.heads = self.value("attention.head_count")
        self.kv_heads = self.value("attention.head_count_kv", self.heads)
        self.width = self.value("embedding_length")
        self.head_size = self.value("attention.key_length", self.width // self.heads)
        self.value_size = self.value("attention.value_length", self.head_size)
        self.epsilon = self.value("attention.layer_norm_rms_epsilon")

    def value(self, key, default=None):
        return self.fields.get(f"{self.architecture}.{key}", default)

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
        """RMS norm of the last axis; without such a weight, nothing."""
        weight = self.weight(name)
        if weight is None:
            return x
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.epsilon) * weight

    def window(self, layer):
        """How many positions a token sees, or None."""
        period = {"gpt-oss": 2, "gemma2": 2, "gemma3": 6}.get(self.architecture)
        if period is None or (layer + 1) % period == 0:
            return None
        return self.value("attention.sliding_window")

    def rotation(self, layer):
        """Radians per position of each pair, and what the turned pairs are multiplied by; None for no rotation."""
        if self.architecture == "smollm3" and (layer + 1) % 4 == 0:
            return None
        size = self.value("rope.dimension_count", self.head_size)
        if self.architecture == "gemma3" and self.window(layer) is not None:
            return 10000.0 ** (-np.arange(0, size, 2) / size), 1.0
        base = self.value("rope.freq_base", 10000.0)
        plain = base ** (-np.arange(0, size, 2) / size)
        factors = self.weight("rope_freqs.weight")
        if factors is None:
            is_long = self.context > self.value("rope.scaling.original_context_length", 1 << 30)
            factors = self.weight(f"rope_factors_{'long' if is_long else 'short'}.weight")
        if factors is not None:
            plain = plain / factors
        magnitude = self.value("rope.scaling.attn_factor", 1.0)
        kind, factor = self.value("rope.scaling.type", "none"), self.value("rope.scaling.factor", 1.0)
        if kind == "linear":
            plain = plain / factor
        elif kind == "yarn":
            plain, magnitude = self.yarn(plain, base, size, factor, magnitude)
        elif kind != "none":
            sys.exit(f"RoPE scaling {kind} is not known here")
        return plain, magnitude

    def yarn(self, plain, base, size, factor, magnitude):
        """As in the paper (arXiv 2309.00071, section 3.2), the ramp between pairs as in its authors' code."""
        original = self.value("rope.scaling.original_context_length")

        def pair(rotations):
            return size * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))

        low, high = max(math.floor(pair(32)), 0), min(math.ceil(pair(1)), size - 1)
        ramp = np.clip((np.arange(size // 2) - low) / max(high - low, 0.001), 0, 1)
        plain = plain * (1 - ramp) + plain / factor * ramp
        share = self.value("rope.scaling.yarn_log_multiplier", 0.0)
        growth = 0.1 * math.log(factor)
        return plain, magnitude * (1 + growth) / (1 + share * growth)

    def rotate(self, x, layer):
        """RoPE of x[position, head, element]."""
        rotation = self.rotation(layer)
        if rotation is None:
            return x
        frequencies, magnitude = rotation
        pairs = len(frequencies)
        angles = np.arange(len(x))[:, None] * frequencies
        cosine, sine = np.cos(angles)[:, None, :] * magnitude, np.sin(angles)[:, None, :] * magnitude
        if self.architecture in ("llama", "mistral3", "smollm3"):
            first, second = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
        else:
            first, second = slice(0, pairs), slice(pairs, 2 * pairs)
        y = x.copy()
        y[..., first] = x[..., first] * cosine - x[..., second] * sine
        y[..., second] = x[..., first] * sine + x[..., second] * cosine
        return y

    def queries_keys_values(self, layer, x):
        n = len(x)
        if f"blk.{layer}.attn_qkv.weight" in self.tensors:
            sizes = np.cumsum([self.heads * self.head_size, self.kv_heads * self.head_size])
            q, k, v = np.split(self.product(layer, "attn_qkv", x), sizes, axis=-1)
        else:
            q, k, v = (self.product(layer, f"attn_{part}", x) for part in "qkv")
        names = [f"blk.{layer}.attn_{part}_norm.weight" for part in "qk"]
        if self.architecture == "olmoe":
            q, k = self.norm(q, names[0]), self.norm(k, names[1])
        q, k = q.reshape(n, self.heads, self.head_size), k.reshape(n, self.kv_heads, self.head_size)
        if self.architecture != "olmoe":
            q, k = self.norm(q, names[0]), self.norm(k, names[1])
        q, k = self.rotate(q, layer), self.rotate(k, layer)
        temperature = self.value("attention.temperature_scale", 0.0)
        if temperature:
            length = self.value("rope.scaling.original_context_length")
            q = q * (1 + temperature * np.log(1 + np.arange(n) // length))[:, None, None]
        return q, k, v.reshape(n, self.kv_heads, self.value_size)

    def attention(self, layer, x):
        n = len(x)
        q, k, v = self.queries_keys_values(layer, x)
        distance = np.arange(n)[:, None] - np.arange(n)[None, :]
        hidden = distance < 0
        window = self.window(layer)
        if window is not None:
            hidden |= distance >= window
        sinks = self.weight(f"blk.{layer}.attn_sinks.weight")
        outputs = []
        for head in range(self.heads):
            group = head * self.kv_heads // self.heads
            scores = q[:, head] @ k[:, group].T / np.sqrt(self.head_size)
            cap = self.value("attn_logit_softcapping")
            if cap:
                scores = cap * np.tanh(scores / cap)
            scores[hidden] = -np.inf
            if sinks is not None:
                scores = np.concatenate([scores, np.full((n, 1), sinks[head])], axis=-1)
            outputs.append(softmax(scores)[:, :n] @ v[:, group])
        result = self.norm(np.concatenate(outputs, axis=-1), f"blk.{layer}.attn_sub_norm.weight")
        return self.product(layer, "attn_output", result)

    def activated(self, gate, up):
        """The gate's function times up."""
        name = self.architecture
        if name == "gpt-oss":
            gate, up = np.minimum(gate, 7), np.clip(up, -7, 7)
            return gate / (1 + np.exp(-1.702 * gate)) * (up + 1)
        if name.startswith("gemma"):
            return gelu(gate) * up
        if name == "bitnet-25":
            return np.maximum(gate, 0) ** 2 * up
        return silu(gate) * up

    def feed_forward(self, layer, x):
        if f"blk.{layer}.ffn_gate_inp.weight" in self.tensors:
            return self.experts(layer, x)
        if f"blk.{layer}.ffn_gate.weight" in self.tensors:
            gate, up = self.product(layer, "ffn_gate", x), self.product(layer, "ffn_up", x)
        else:
            gate, up = np.split(self.product(layer, "ffn_up", x), 2, axis=-1)
        hidden = self.norm(self.activated(gate, up), f"blk.{layer}.ffn_sub_norm.weight")
        return self.product(layer, "ffn_down", hidden)

    def experts(self, layer, x):
        logits = self.product(layer, "ffn_gate_inp", x)
        chosen = np.argsort(-logits, axis=-1)[:, : self.value("expert_used_count")]
        if self.architecture == "gpt-oss":
            shares = softmax(np.take_along_axis(logits, chosen, axis=-1))
        else:
            shares = np.take_along_axis(softmax(logits), chosen, axis=-1)
            if self.architecture != "olmoe":
                shares = shares / shares.sum(axis=-1, keepdims=True)

        def product(part, expert, row):
            name = f"blk.{layer}.ffn_{part}_exps"
            bias = self.weight(name + ".bias")
            return self.weight(name + ".weight")[expert] @ row + (0 if bias is None else bias[expert])

        y = np.zeros_like(x)
        for token, row in enumerate(x):
            for expert, share in zip(chosen[token], shares[token]):
                hidden = self.activated(product("gate", expert, row), product("up", expert, row))
                y[token] += share * product("down", expert, hidden)
        return y

    def logits(self, tokens):
        x = self.weight("token_embd.weight")[tokens]
        if self.architecture.startswith("gemma"):
            x = x * math.sqrt(self.width)
        for layer in range(self.layers):
            name = f"blk.{layer}."
            y = self.attention(layer, self.norm(x, name + "attn_norm.weight"))
            # gpt-oss calls the norm before its experts by the name of Gemma's behind attention.
            before = "post_attention_norm" if self.architecture == "gpt-oss" else "ffn_norm"
            if self.architecture != "gpt-oss":
                y = self.norm(y, name + "post_attention_norm.weight")
            x = x + y
            y = self.feed_forward(layer, self.norm(x, name + before + ".weight"))
            x = x + self.norm(y, name + "post_ffw_norm.weight")
        output = self.weight("output.weight")
        if output is None:
            output = self.weight("token_embd.weight")
        logits = self.norm(x, "output_norm.weight") @ output.T
        cap = self.value("final_logit_softcapping")
        return cap * np.tanh(logits / cap) if cap else logits


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
            command.add_argument("--context", type=int, default=0)
        else:
            command.add_argument("--count", required=True, type=int)
    command = commands.add_parser("compare")
    command.add_argument("reference")
    command.add_argument("other")
    arguments = parser.parse_args()

    if arguments.command == "logits":
        np.save(arguments.out, Model(arguments.model, arguments.context).logits(arguments.tokens))
    elif arguments.command == "greedy":
        model, tokens = Model(arguments.model), list(arguments.tokens)
        for _ in range(arguments.count):
            tokens.append(int(np.argmax(model.logits(tokens)[-1])))
        print(",".join(map(str, tokens[-arguments.count :])) if arguments.count else "")
    else:
        compare(arguments.reference, arguments.other)


main()
