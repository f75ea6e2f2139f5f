import Models

/// Where the time of evaluations went.
package struct ExecutionProfile: Sendable {
    /// Tokens that were computed.
    package var tokens = 0
    /// Seconds of evaluations.
    package var seconds = 0.0
    /// Seconds of those that used no devices.
    package var cpuSeconds = 0.0
    /// Seconds that the CPU's threads had nothing to do in these, of all threads together.
    package var waitSeconds = 0.0
    /// Seconds of operations, where the executor measures them.
    package private(set) var kinds: [String: Double] = [:]

    package init() {}

    mutating func add(_ seconds: Double, to kind: String) {
        kinds[kind, default: 0] += seconds
    }
}

extension Operation {
    /// What operations of its kind are called together.
    var profileName: String {
        switch kind {
        case .matmul, .matmulExperts: "products"
        case .attention: "attention"
        case .rmsNorm: "norms"
        case .rotate: "rotation"
        case .activate: "activation"
        case .store: "cache"
        case .embed: "embedding"
        case .add, .addBias, .addExpertBiases, .scale: "sums"
        case .route, .mix: "routing"
        case .selectOutputs: "selection"
        }
    }
}
