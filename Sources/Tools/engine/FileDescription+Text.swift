import Foundation

/// The description for people.
extension FileDescription {
    var text: String {
        var lines = [
            "\(path): GGUF version \(gguf_version), \(Self.size(file_bytes)), \(tensor_count) tensors"
        ]
        func section(_ title: String, _ rows: [(String, String?)]) {
            let rows = rows.compactMap { name, value in value.map { (name, $0) } }
            guard !rows.isEmpty else { return }
            lines += ["", title] + rows.map { "  " + Self.padded($0.0, 15) + " " + $0.1 }
        }
        section("model", generalRows)
        section("shape", shapeRows)
        section("tokenizer", tokenizerRows)
        if !types.isEmpty {
            lines += ["", "types           tensors     elements        bytes  bits  cpu  dsp"]
            for kind in types {
                let bits = Double(kind.bytes) * 8 / Double(max(kind.elements, 1))
                lines.append(
                    "  " + Self.padded(kind.type, 12) + String(format: "%9d", kind.tensors) + " "
                        + Self.aligned(Self.count(kind.elements), 12) + " "
                        + Self.aligned(Self.size(kind.bytes), 12) + String(format: " %5.2f", bits)
                        + "  \(kind.cpu ? "yes" : "no ")  \(kind.dsp ? "yes" : "no")")
            }
        }
        section("memory", memoryRows)
        section("engine", engineRows)
        return lines.joined(separator: "\n") + "\n"
    }

    private var generalRows: [(String, String?)] {
        var parameters = Self.count(general.parameters)
        if let active = general.active_parameters {
            parameters += ", \(Self.count(active)) active for a token"
        }
        let bits = String(format: "%.2f bits per weight", general.bits_per_weight)
        return [
            ("architecture", general.architecture), ("name", general.name),
            ("size label", general.size_label), ("license", general.license),
            ("parameters", general.parameters > 0 ? parameters : nil),
            (
                "format",
                general.parameters > 0
                    ? [general.file_type, bits].compactMap(\.self).joined(separator: ", ") : nil
            ),
        ]
    }

    private var shapeRows: [(String, String?)] {
        func number(_ value: Int?) -> String? { value.map(String.init) }
        var heads = number(shape.heads)
        if let all = shape.heads, let own = shape.key_value_heads, own != all {
            heads = "\(all), \(own) for keys and values"
        }
        if let size = shape.key_size {
            heads?.append(", of \(size)")
            if let values = shape.value_size, values != size { heads?.append(" and \(values) for values") }
        }
        var window = shape.sliding_window.map { "\($0) tokens" }
        if let windowed = shape.windowed_layers, let layers = shape.layers {
            window?.append(" in \(windowed) of \(layers) layers")
        }
        var rope: [String] = []
        if let base = shape.rope_base { rope.append(String(format: "base %.10g", base)) }
        if let dimensions = shape.rope_dimensions { rope.append("\(dimensions) dimensions") }
        if let scaling = shape.rope_scaling, scaling != "none" {
            rope.append(scaling + (shape.rope_scaling_factor.map { String(format: " × %g", $0) } ?? ""))
        }
        if let original = shape.rope_original_context_length { rope.append("trained for \(original)") }
        var experts = shape.experts.map { "\(shape.experts_used ?? 0) of \($0) for a token" }
        if let size = shape.expert_feed_forward_length { experts?.append(", feed-forward \(size)") }
        return [
            ("context", shape.context_length.map { "\($0) tokens" }), ("layers", number(shape.layers)),
            ("width", number(shape.width)), ("feed-forward", number(shape.feed_forward_length)),
            ("heads", heads), ("experts", experts), ("window", window),
            ("rope", rope.isEmpty ? nil : rope.joined(separator: ", ")),
        ]
    }

    private var tokenizerRows: [(String, String?)] {
        guard let tokenizer else { return [] }
        let kinds = ["llama": "SentencePiece BPE", "gpt2": "byte-level BPE", "bert": "WordPiece"]
        func token(_ token: Token?) -> String? { token.map { "\($0.id) \($0.text.debugDescription)" } }
        var adds: [String] = []
        if tokenizer.adds_bos == true { adds.append("BOS first") }
        if tokenizer.adds_eos == true { adds.append("EOS last") }
        if tokenizer.adds_space_prefix == true { adds.append("a space before the text") }
        let ends = tokenizer.end_of_generation ?? []
        return [
            ("kind", (kinds[tokenizer.kind].map { "\($0) (\(tokenizer.kind))" } ?? tokenizer.kind)),
            ("pre-tokenizer", tokenizer.pre), ("tokens", "\(tokenizer.tokens)"),
            ("BOS", token(tokenizer.bos)), ("EOS", token(tokenizer.eos)),
            ("unknown", token(tokenizer.unknown)),
            ("ends of text", ends.isEmpty ? nil : ends.compactMap(token).joined(separator: ", ")),
            (
                "adds",
                tokenizer.adds_bos == nil ? nil : adds.isEmpty ? "nothing" : adds.joined(separator: ", ")
            ),
            ("chat template", tokenizer.chat_template ? "yes" : "no"), ("problem", tokenizer.problem),
        ]
    }

    private var memoryRows: [(String, String?)] {
        guard let memory = engine.memory else { return [] }
        return [
            ("with a context", "of \(memory.context_length) tokens"),
            ("weights", Self.size(memory.weights_bytes) + ", mapped from the file"),
            ("cache", Self.size(memory.context_bytes)),
            ("activations", Self.size(memory.compute_bytes)),
            (
                "on a DSP",
                "\(Self.size(memory.dsp_model_bytes)) weights, \(Self.size(memory.context_bytes)) cache, "
                    + "\(Self.size(memory.dsp_compute_bytes)) activations and commands"
            ),
        ]
    }

    private var engineRows: [(String, String?)] {
        var rows: [(String, String?)] = [
            ("runs", engine.runs ? "yes" : "no: \(engine.problem ?? "")")
        ]
        guard let total = engine.mul_mat_total, let offloadable = engine.mul_mat_offloadable else {
            return rows
        }
        rows.append(("on a DSP", "\(offloadable) of \(total) matrix products"))
        for refusal in engine.refusals ?? [] {
            let names = refusal.products.prefix(3).joined(separator: ", ")
            let more = refusal.products.count > 3 ? " and \(refusal.products.count - 3) more" : ""
            rows.append(("on the CPU", "\(names)\(more): \(refusal.reason)"))
        }
        return rows
    }

    static func table(_ tensors: [Tensor]) -> String {
        let width = max(tensors.map(\.name.count).max() ?? 0, 4)
        var text = padded("tensor", width) + "  type     " + padded("shape", 24) + "        bytes\n"
        for tensor in tensors {
            let shape = tensor.dimensions.map(String.init).joined(separator: " × ")
            text +=
                padded(tensor.name, width) + "  " + padded(tensor.type, 8) + " " + padded(shape, 24)
                + String(format: " %12d", tensor.bytes) + "\n"
        }
        return text
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func aligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func scaled(_ value: Int, _ units: [String]) -> String {
        var scaled = Double(value)
        var unit = 0
        while scaled >= 999.5, unit < units.count - 1 {
            scaled /= 1000
            unit += 1
        }
        let number =
            unit == 0
            ? "\(value)" : String(format: scaled < 9.995 ? "%.2f" : scaled < 99.95 ? "%.1f" : "%.0f", scaled)
        return units[unit].isEmpty ? number : "\(number) \(units[unit])"
    }

    static func size(_ bytes: Int) -> String { scaled(bytes, ["bytes", "kB", "MB", "GB", "TB"]) }
    private static func count(_ number: Int) -> String { scaled(number, ["", "K", "M", "B", "T"]) }
}
