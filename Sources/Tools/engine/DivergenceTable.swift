import Engine
import Foundation

/// A comparison as text; the lines are llama-perplexity's.
enum DivergenceTable {
    static let title =
        "chunk             PPL               ln(PPL(Q)/PPL(base))          KL Divergence              Δp RMS            "
        + "Same top p\n"

    /// What was compared up to a chunk.
    static func line(_ chunk: Int, _ result: Divergence) -> String {
        let (rms, top) = (result.differenceRMS, result.sameTopShare)
        return String(format: "%4d", chunk + 1) + "    " + estimate(result.perplexity.value, "%9.4f") + "    "
            + estimate(result.logRatio, "%10.5f") + "    " + estimate(result.mean, "%10.5f") + "    "
            + estimate(rms, "%6.3f", scale: 100) + " %    " + estimate(top, "%6.3f", scale: 100) + " %\n"
    }

    static func statistics(_ result: Divergence) -> String {
        func row(_ name: String, _ value: Estimate) -> String { "\(name): \(estimate(value, "%10.6f"))\n" }
        func percent(_ value: Double) -> String { String(format: "%6.3f%%", 100 * value) }
        var text = "\n====== Perplexity statistics ======\n"
        text += row("Mean PPL(Q)                   ", result.perplexity.value)
        text += row("Mean PPL(base)                ", result.basePerplexity.value)
        text += "Cor(ln(PPL(Q)), ln(PPL(base))): " + percent(result.correlation) + "\n"
        text += row("Mean ln(PPL(Q)/PPL(base))     ", result.logRatio)
        text += row("Mean PPL(Q)/PPL(base)         ", result.ratio)

        text += "\n====== KL divergence statistics ======\n"
        text += row("Mean    KLD", result.mean)
        for (name, share) in percentiles {
            text += "\(name) KLD: " + String(format: "%10.6f", result.divergence(atPercentile: share)) + "\n"
        }

        text += "\n====== Token probability statistics ======\n"
        text += "Mean    Δp: " + estimate(result.meanDifference, "%6.3f", scale: 100) + " %\n"
        for (name, share) in percentiles {
            text += "\(name)  Δp: " + percent(result.difference(atPercentile: share)) + "\n"
        }
        text += "RMS Δp    : " + estimate(result.differenceRMS, "%6.3f", scale: 100) + " %\n"
        text += "Same top p: " + estimate(result.sameTopShare, "%6.3f", scale: 100) + " %\n"
        return text
    }

    static let percentiles: [(name: String, share: Double)] = [
        ("Maximum", 1), ("99.9% ", 0.999), ("99.0% ", 0.99), ("95.0% ", 0.95), ("90.0% ", 0.9),
        ("75.0% ", 0.75), ("Median ", 0.5), ("25.0% ", 0.25), ("10.0% ", 0.1), (" 5.0% ", 0.05),
        (" 1.0% ", 0.01), (" 0.1% ", 0.001), ("Minimum", 0),
    ]

    private static func estimate(_ estimate: Estimate, _ format: String, scale: Double = 1) -> String {
        String(format: format, scale * estimate.value) + " ± "
            + String(format: format, scale * estimate.error)
    }
}

/// What `engine perplexity --json` prints.
struct PerplexityOutput: Encodable {
    struct Value: Encodable {
        var value: Double
        var error: Double

        init(_ estimate: Estimate) { (value, error) = (estimate.value, estimate.error) }
    }

    struct Comparison: Encodable {
        var ppl_base: Value
        var ln_ppl_ratio: Value
        var ppl_ratio: Value
        var ln_ppl_correlation: Double
        var mean_kld: Value
        /// By percent: `"99.9"`.
        var kld_percentiles: [String: Double]
        var mean_dp: Value
        var dp_percentiles: [String: Double]
        var rms_dp: Value
        var same_top: Value

        init(_ result: Divergence) {
            ppl_base = Value(result.basePerplexity.value)
            ln_ppl_ratio = Value(result.logRatio)
            ppl_ratio = Value(result.ratio)
            ln_ppl_correlation = result.correlation
            mean_kld = Value(result.mean)
            func percentiles(_ value: (Double) -> Double) -> [String: Double] {
                Dictionary(
                    uniqueKeysWithValues: DivergenceTable.percentiles.map { _, share in
                        (String(format: "%g", share * 100), value(share))
                    })
            }
            kld_percentiles = percentiles(result.divergence(atPercentile:))
            mean_dp = Value(result.meanDifference)
            dp_percentiles = percentiles(result.difference(atPercentile:))
            rms_dp = Value(result.differenceRMS)
            same_top = Value(result.sameTopShare)
        }
    }

    var version = 1
    var n_ctx: Int
    var chunks: Int
    /// Fewer than `chunks` where Ctrl-C came.
    var chunks_done: Int
    var tokens_scored: Int
    var ppl: Value
    var nll: Value
    var kl_divergence: Comparison?
    var load_ms: Double
    var eval_ms: Double
    var threads: Int
    var devices: [GenerationOutput.Device]
    var offload: GenerationOutput.Offload

    init(_ model: LanguageModel, _ text: PerplexityText, _ done: Int, _ result: Perplexity, _ seconds: Double)
    {
        (n_ctx, chunks, chunks_done) = (text.contextLength, text.chunks, done)
        tokens_scored = result.count
        ppl = Value(result.value)
        nll = Value(result.negativeLogProbability)
        load_ms = model.loadSeconds * 1000
        eval_ms = seconds * 1000
        threads = model.threads
        devices = model.devices.map(GenerationOutput.Device.init)
        offload = GenerationOutput.Offload(model.offload)
    }

    init(_ model: LanguageModel, _ text: PerplexityText, _ done: Int, _ result: Divergence, _ seconds: Double)
    {
        self.init(model, text, done, result.perplexity, seconds)
        kl_divergence = Comparison(result)
    }
}
