import ArgumentParser
import Foundation
import HTPDevice
import HexagonRPC
import Runtime

/// How DSPs are reached and used.
struct DeviceUse {
    var transport = TransportChoice.automatic
    var power = PowerLevel.full
    var arithmetic = FloatArithmetic.plain
    var messages = BatchMessages.call
    /// Seconds for a call; nil for the device's own.
    var timeout: Double?
    /// Bytes that a session of the simulator can have mapped; nil for as many as on a DSP.
    var simulatorByteCount: Int?
    /// Does not trust what was measured before.
    var measuresAgain = false
    /// A folder in which repacked weights are kept.
    var repackCache: String?

    /// Where measurements are remembered: what the XDG specification says; nil without a home.
    static var cacheFolder: String? {
        let environment = ProcessInfo.processInfo.environment
        if let folder = environment["XDG_CACHE_HOME"], folder.hasPrefix("/") { return folder + "/hexagonrpc" }
        return environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 + "/.cache/hexagonrpc" : nil }
    }
}

/// The options that say how DSPs are reached and used.
struct DeviceOptions: ParsableArguments {
    @Option(
        help: "How htp0…htp3 are reached: the kernel's driver, the vendor's library, or what there is.")
    var transport = TransportChoice.automatic
    @Option(help: "How much power a DSP may take while it works: full, balanced or saving.")
    var power = PowerLevel.full
    @Option(
        help: """
            How a DSP computes norms, attention and the like: plain (the same bits everywhere) or vector (its vector \
            unit's floats, from v68 on; no DSP has run it yet).
            """)
    var arithmetic = FloatArithmetic.plain
    @Option(
        help: ArgumentHelp(
            "Memory of a session of the simulator, such as 300M; by default as much as a DSP's.",
            valueName: "bytes"))
    var simulatorMemory: ByteCount?

    @Option(
        help: ArgumentHelp(
            """
            How long a DSP may take for a call before a new session repeats the work; 0 for ever. Without it hardware \
            gets ten times what calls took so far, at least ten seconds.
            """, valueName: "seconds"))
    var dspTimeout: Double?
    @Option(help: "How batches get to a DSP: call, or queue, which is a message queue in shared memory.")
    var messages = BatchMessages.call
    @Option(
        help: ArgumentHelp(
            "Keep the DSPs' repacked weights in this folder, and load them from there.", valueName: "folder"))
    var repackCache: String?
    @Flag(help: "Do not trust what an earlier run of --place auto measured.")
    var measureAgain = false

    func validate() throws {
        guard dspTimeout.map({ $0.isFinite && $0 >= 0 }) ?? true else {
            throw ValidationError("--dsp-timeout is a number of seconds.")
        }
    }

    var use: DeviceUse {
        DeviceUse(
            transport: transport, power: power, arithmetic: arithmetic, messages: messages,
            timeout: dspTimeout,
            simulatorByteCount: simulatorMemory?.bytes, measuresAgain: measureAgain, repackCache: repackCache)
    }
}

/// A number of bytes on the command line: `4096`, `64K`, `300M`, `2G`, in powers of 1024.
struct ByteCount: ExpressibleByArgument {
    var bytes: Int

    init?(argument: String) {
        let shifts: [Character: Int] = ["K": 10, "M": 20, "G": 30]
        let shift = argument.last.flatMap { shifts[Character($0.uppercased())] }
        guard let count = Int(shift == nil ? argument[...] : argument.dropLast()), count > 0,
            count <= Int.max >> (shift ?? 0)
        else { return nil }
        bytes = count << (shift ?? 0)
    }
}

extension FloatArithmetic: ExpressibleByArgument {
    /// Reads an arithmetic by its name.
    public init?(argument: String) {
        guard let arithmetic = Self.allCases.first(where: { "\($0)" == argument }) else { return nil }
        self = arithmetic
    }

    /// The names of all.
    public static var allValueStrings: [String] { allCases.map { "\($0)" } }
    /// Its name.
    public var defaultValueDescription: String { "\(self)" }
}

extension TransportChoice: ExpressibleByArgument {}

extension BatchMessages: ExpressibleByArgument {}

extension Placement: ExpressibleByArgument {}

extension PowerLevel: ExpressibleByArgument {
    /// Reads a level by its name.
    public init?(argument: String) {
        guard let level = Self.allCases.first(where: { "\($0)" == argument }) else { return nil }
        self = level
    }

    /// The names of all levels.
    public static var allValueStrings: [String] { allCases.map { "\($0)" } }
    /// The level's name.
    public var defaultValueDescription: String { "\(self)" }
}
