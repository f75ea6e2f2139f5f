import ArgumentParser
import Engine
import Runtime

/// The options that say how a key/value cache is kept; the names are llama.cpp's.
struct CacheOptions: ParsableArguments {
    @Option(
        name: [.customLong("cache-type-k"), .customLong("ctk", withSingleDash: true)],
        help: "How keys are kept: f32, f16, q8_0 or q4_0.")
    var keyType = CacheType.standard
    @Option(
        name: [.customLong("cache-type-v"), .customLong("ctv", withSingleDash: true)],
        help: "How values are kept.")
    var valueType = CacheType.standard

    /// Passes them on.
    func apply(to options: inout LanguageModel.Options) {
        (options.keyCacheType, options.valueCacheType) = (keyType, valueType)
    }
}

extension CacheType: ExpressibleByArgument {}
