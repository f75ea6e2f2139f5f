import Engine
import Foundation

/// The table at the end of a run, on standard error.
func printSummary(_ model: LanguageModel, _ generation: Generation) {
    func line(_ name: String, _ tokens: Int, _ seconds: Double, _ rate: Double) {
        printError(
            padded(name, 11)
                + String(format: " %6d tokens %9.1f ms %9.1f tokens/s", tokens, seconds * 1000, rate))
    }
    printError("")
    printError(String(format: "load %30.1f ms", model.loadSeconds * 1000))
    line(
        "prompt", generation.promptTokens - generation.reusedTokens, generation.promptSeconds,
        generation.promptTokensPerSecond)
    line(
        "generation", generation.tokens.count, generation.generateSeconds, generation.generatedTokensPerSecond
    )
    if generation.end == .contextFull {
        printError("stopped: the context of \(model.contextLength) tokens is full; -c makes it larger")
    }

    printError("")
    printError("device  arch                model      context      compute")
    for device in model.devices {
        printError(
            [
                padded(device.name, 7), padded(device.arch, 12), megabytes(device.modelBytes),
                megabytes(device.contextBytes), megabytes(device.computeBytes),
            ].joined(separator: " "))
    }

    let offload = model.offload
    guard model.devices.count > 1 else { return }
    printError("")
    printError(
        "offloaded \(offload.offloadedProducts) of \(offload.products) matrix products, "
            + String(
                format: "%.1f of %.1f", Double(offload.offloadedMultiplyAdds) / 1e6,
                Double(offload.multiplyAdds) / 1e6) + " million multiply-adds")
    printError(
        "\(offload.messages) messages, \(megabytes(offload.bytesToDSP).trimmed) to the DSP, "
            + "\(megabytes(offload.bytesFromDSP).trimmed) back, "
            + String(format: "%.1f ms at work", offload.dspSeconds * 1000))
    if let first = offload.refusals.first {
        printError(
            "on the CPU: \(offload.refusals.count) products of the model, the first "
                + "\(first.name): \(first.reason)")
    }
}

/// Where the time went, on standard error.
func printProfile(_ model: LanguageModel) {
    for phase in ProfiledPhase.allCases {
        let profile = model.profile(of: phase)
        guard profile.tokens > 0 else { continue }
        printError("")
        printError(
            String(
                format: "%@: %.1f ms, %d tokens; %d threads waited %.1f %% of their time", phase.rawValue,
                profile.seconds * 1000, profile.tokens, model.threads, profile.waitShare * 100))
        let measured = profile.operations.reduce(0) { $0 + $1.seconds }
        for (name, seconds) in profile.operations + [("between", max(profile.seconds - measured, 0))] {
            printError(
                "  " + padded(name, 11)
                    + String(
                        format: " %9.1f ms %6.2f %%", seconds * 1000,
                        100 * seconds / max(profile.seconds, 1e-9)))
        }
    }
}

private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

private func megabytes(_ bytes: Int) -> String {
    String(format: "%9.2f MB", Double(bytes) / 1e6)
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
