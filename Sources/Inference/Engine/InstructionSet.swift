import CPUKernels

/// Instructions that the CPU's part of the engine can use.
public struct InstructionSet: Hashable, Sendable {
    /// The number of `cpu_kernels_get`.
    package let level: CInt
    /// `portable`, `avx2`, `avx512-vnni`, …
    public let name: String

    package init(level: CInt) {
        (self.level, name) = (level, cpu_kernels_name(level).map { String(cString: $0) } ?? "\(level)")
    }

    /// The set of a name, also one of another kind of processor; nil for an unknown one.
    public init?(name: String) {
        guard let set = Self.all.first(where: { $0.name == name }) else { return nil }
        self = set
    }

    /// Whether this processor, and the operating system, have it.
    public var isAvailable: Bool { cpu_kernels_get(level) != nil }

    /// Fails where this processor lacks it.
    public func require() throws(EngineError) {
        guard !isAvailable else { return }
        throw EngineError(
            .badInput,
            "this processor lacks \(name); it has " + Self.available.map(\.name).joined(separator: ", "))
    }

    /// All that the engine knows, those of every kind of processor.
    public static var all: [InstructionSet] { (0..<CInt(CPU_KERNELS_LEVELS)).map(InstructionSet.init) }

    /// Those of this processor, the slowest first.
    public static var available: [InstructionSet] { all.filter(\.isAvailable) }

    /// The fastest of this processor.
    public static var best: InstructionSet { InstructionSet(level: cpu_kernels_best()) }
}
