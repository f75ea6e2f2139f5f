import Foundation
import TestSupport
import Testing

/// The tool's perplexity and divergence against NumPy, over the logits that the tool writes.
@Suite("Perplexity against the witness", .needsPython) struct PerplexityWitnessTests {
    private static let base = WitnessFiles.package + "/Examples/storyteller/storyteller-q8_0.gguf"

    /// Reads the logits of two models for the chunks' tokens, the chunks, and the base's file of log-probabilities.
    private static let program = #"""
        import json, struct, sys
        import numpy as np
        chunks, logits, others, path = json.loads(sys.argv[1]), sys.argv[2].split(','), sys.argv[3].split(','), sys.argv[4]
        def log_softmax(name):
            x = np.load(name).astype(np.float64)
            x -= x.max(1, keepdims=True)
            return x - np.log(np.exp(x).sum(1, keepdims=True))
        data = open(path, 'rb').read()
        context, vocabulary, count = struct.unpack('<8x3i', data[:20])
        assert data[:8] == b'_logits_' and count == len(chunks) and context == len(chunks[0])
        tokens = np.frombuffer(data, '<i4', context * count, 20).reshape(count, context)
        size, first = 8 + (vocabulary + 1) // 2 * 4, context // 2
        rows = np.frombuffer(data, np.uint8, offset=20 + 4 * context * count).reshape(-1, size)
        scale, lowest = rows[:, :8].copy().view('<f4').astype(np.float64).T
        stored = rows[:, 8:8 + 2 * vocabulary].copy().view('<u2') * scale[:, None] + lowest[:, None]
        P, Q, targets = [], [], []
        for chunk, a, b in zip(chunks, logits, others):
            P.append(log_softmax(a)[first:context - 1]); Q.append(log_softmax(b)[first:context - 1])
            targets += chunk[first + 1:]
        P, Q, at = np.concatenate(P), np.concatenate(Q), np.arange(len(targets))
        kept = P > P.max(1, keepdims=True) - 15.9
        kld = (np.exp(P) * (P - Q)).sum(1)
        dp = np.exp(Q[at, targets]) - np.exp(P[at, targets])
        print(json.dumps(dict(
            ppl=float(np.exp(-Q[at, targets].mean())), ppl_base=float(np.exp(-P[at, targets].mean())),
            kld=float(kld.mean()), kld_error=float(kld.std() / np.sqrt(len(kld) - 1)),
            kld_median=float(np.median(kld)), kld_90=float(np.percentile(kld, 90)),
            rms=float(np.sqrt((dp ** 2).mean())), top=float((P.argmax(1) == Q.argmax(1)).mean()),
            ratio=float((stored[at, targets] - Q[at, targets]).mean()),
            ppl_stored=float(np.exp(-stored[at, targets].mean())),
            stored=float((np.abs(stored - P) / np.maximum(scale, 1e-12)[:, None])[kept].max()))))
        """#

    private struct Witness: Decodable {
        var ppl, ppl_base, ppl_stored, kld, kld_error, kld_median, kld_90, rms, top, ratio, stored: Double
    }

    private struct Value: Decodable {
        var value, error: Double
    }

    private struct Report: Decodable {
        struct Comparison: Decodable {
            var ppl_base, mean_kld, rms_dp, same_top, ln_ppl_ratio: Value
            var kld_percentiles: [String: Double]
        }
        var ppl: Value
        var tokens_scored: Int
        var kl_divergence: Comparison?
    }

    private func report(_ arguments: [String]) throws -> Report {
        let result = try Tool.run("engine", ["perplexity", "--json"] + arguments)
        #expect(result.exitCode == 0 && result.errors == "", "\(result.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    @Test(arguments: ["cpu", "sim0"]) func figures(device: String) throws {
        let folder = try TemporaryFolder()
        let (smaller, predictions) = (folder.path("q4_0.gguf"), folder.path("base"))
        let quantized = try Tool.run(
            "engine", ["quantize", "--allow-requantize", Self.base, smaller, "q4_0"])
        #expect(quantized.exitCode == 0, "\(quantized.errors)")
        let sentence =
            "Once upon a time, there was a little girl named Nora. She loved to swim. One day the sea was cold. "
        let text = try folder.write(Array(String(repeating: sentence, count: 12).utf8), to: "text")
        let context = 64

        let own = try report([
            "-m", Self.base, "-f", text, "-c", "\(context)", "--chunks", "3", "--kl-divergence-base",
            predictions,
            "--device", device,
        ])
        let compared = try report([
            "-m", smaller, "--kl-divergence-base", predictions, "--kl-divergence", "--device", device,
        ])
        let difference = try #require(compared.kl_divergence)

        // The chunks, each with the model's first token.
        let ids = try Tool.run("engine", ["tokenize", "-m", Self.base, "-f", text, "--ids"]).output
        let tokens = try JSONDecoder().decode([Int].self, from: Data("[\(ids)]".utf8))
        let chunks = (0..<3).map { [tokens[0]] + tokens[$0 * context + 1..<($0 + 1) * context] }
        var files: [[String]] = [[], []]
        for (index, model) in [Self.base, smaller].enumerated() {
            for (number, chunk) in chunks.enumerated() {
                let path = folder.path("\(index)-\(number).npy")
                let list = chunk.map(String.init).joined(separator: ",")
                let result = try Tool.run(
                    "engine",
                    [
                        "generate", "-m", model, "--tokens", list, "-n", "0", "--device", device, "--logits",
                        path,
                    ])
                #expect(result.exitCode == 0, "\(result.errors)")
                files[index].append(path)
            }
        }
        let witness = try JSONDecoder().decode(
            Witness.self,
            from: Python.output(
                of: Self.program, "\(chunks)", files[0].joined(separator: ","),
                files[1].joined(separator: ","),
                predictions))

        func expect(_ value: Double, _ expected: Double, within share: Double, _ name: String) {
            #expect(abs(value - expected) <= share * abs(expected), "\(name): \(value), not \(expected)")
        }
        #expect(own.tokens_scored == 3 * 31 && compared.tokens_scored == 3 * 31)
        expect(own.ppl.value, witness.ppl_base, within: 1e-4, "perplexity of the base")
        expect(compared.ppl.value, witness.ppl, within: 1e-4, "perplexity")
        // Of what the file holds: probabilities below exp(-16) of the highest are raised to that.
        expect(difference.ppl_base.value, witness.ppl_stored, within: 1e-4, "perplexity of the base's file")
        expect(difference.mean_kld.value, witness.kld, within: 0.02, "divergence")
        expect(difference.mean_kld.error, witness.kld_error, within: 0.02, "its error")
        expect(difference.kld_percentiles["50"] ?? .nan, witness.kld_median, within: 0.1, "median divergence")
        expect(difference.kld_percentiles["90"] ?? .nan, witness.kld_90, within: 0.05, "90 % of divergences")
        expect(difference.rms_dp.value, witness.rms, within: 0.01, "differences of probabilities")
        #expect(difference.same_top.value == witness.top)
        #expect(abs(difference.ln_ppl_ratio.value - witness.ratio) < 2e-4)
        // What was written is as exact as 16 bits are.
        #expect(witness.stored < 0.51)
        #expect(witness.kld > 1e-5 && witness.kld < 0.1)
        print(
            "\(device): PPL \(own.ppl.value) and \(compared.ppl.value), divergence \(difference.mean_kld.value)"
        )
    }
}

private enum WitnessFiles {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../..").standardizedFileURL.path
}
