import ArgumentParser
import Engine
import Runtime

/// The options that say which model runs, where, and how much room it has.
struct ModelOptions: ParsableArguments {
    @Option(name: [.short, .long], help: "The model, a GGUF file.")
    var model: String
    @Option(
        name: [.short, .customLong("ctx-size")], parsing: .unconditional,
        help: "Context in tokens; 0 for the model's, at most 4096.")
    var context: Int?
    @Option(
        name: [.customShort("b"), .customLong("batch-size")], parsing: .unconditional,
        help: "Tokens of a prompt computed at once.")
    var batch = 512
    @Option(
        name: [.short, .long], parsing: .unconditional,
        help: "CPU threads; 0 for one per core, or for one for each of --cpus.")
    var threads = 0
    @OptionGroup var cores: ThreadOptions
    @Option(help: DeviceList.help, transform: DeviceList.init(argument:))
    var device = DeviceList.automatic
    @OptionGroup var use: DeviceOptions
    @OptionGroup var cache: CacheOptions
    @Option(
        help: """
            Which phases run on the DSP: auto (measured when the model is loaded), all, prompt or none; without it \
            auto on hardware and all elsewhere.
            """)
    var place: Placement?
    @Flag(help: "Print what runs where, and why, before the text.")
    var explainPlan = false

    func validate() throws {
        guard context ?? 0 >= 0 else { throw ValidationError("-c is a number of tokens.") }
        guard (1...4096).contains(batch) else { throw ValidationError("-b is a number from 1 to 4096.") }
        guard (0...1024).contains(threads) else { throw ValidationError("-t is a number from 0 to 1024.") }
    }

    /// Loads the model; Ctrl-C ends that, and what is done with the model later.
    ///
    /// - Parameters:
    ///   - contextLength: tokens, where they are not for the user to say.
    ///   - profiles: whether the time of each operation is measured.
    func load(contextLength: Int? = nil, profiles: Bool = false) throws -> LanguageModel {
        var options = LanguageModel.Options()
        (options.threads, options.batch) = (threads, batch)
        options.contextLength = contextLength ?? context ?? 0
        options.placement = place
        options.profiles = profiles
        cores.apply(to: &options)
        cache.apply(to: &options)
        options.onNotice = { printError("engine: \($0)") }
        if explainPlan { options.onPlan = { printError($0) } }
        Interrupt.catchFirst()
        options.isInterrupted = { Interrupt.isRequested }
        let model = try device.load(model, options, use.use)
        if explainPlan { printError(model.placementDescription) }
        return model
    }
}
