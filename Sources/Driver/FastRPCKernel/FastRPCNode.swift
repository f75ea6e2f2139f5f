import SharedMemory

/// A device node of the FastRPC driver, such as `/dev/fastrpc-cdsp`.
///
/// The driver makes two nodes for a compute DSP, the plain one and the one ending in `-secure`, and one for any
/// other: `-secure`, or plain where the device tree calls the domain non-secure.
public struct FastRPCNode: Hashable, Sendable {
    /// The DSP's label in the device tree: `adsp`, `mdsp`, `sdsp`, `cdsp`, `cdsp1`, `gdsp0`, `gdsp1`.
    public var label: String
    /// Whether it is the `-secure` node, which accepts signed and unsigned processes.
    public var isSecure: Bool
    /// The directory of the node.
    public var directory: String

    /// Names a node; it need not exist.
    public init(label: String, isSecure: Bool = false, directory: String = "/dev") {
        self.label = label
        self.isSecure = isSecure
        self.directory = directory
    }

    /// The node that a file in `directory` would be by its name, or nil.
    public init?(fileName: String, directory: String = "/dev") {
        guard fileName.hasPrefix(Self.prefix) else { return nil }
        let isSecure = fileName.hasSuffix(Self.suffix)
        let label = fileName.dropFirst(Self.prefix.count).dropLast(isSecure ? Self.suffix.count : 0)
        guard !label.isEmpty, !label.contains("/"), label != "secure" else { return nil }
        self.init(label: String(label), isSecure: isSecure, directory: directory)
    }

    /// The node's path.
    public var path: String { "\(directory)/\(Self.prefix)\(label)\(isSecure ? Self.suffix : "")" }

    /// The nodes that exist, in order of their labels, the plain one first. Empty where there are none or the
    /// directory cannot be read. Nothing is opened.
    public static func list(directory: String = "/dev") -> [FastRPCNode] {
        SystemCalls.fileNames(in: directory)
            .compactMap { FastRPCNode(fileName: $0, directory: directory) }
            .sorted { ($0.label, $0.isSecure ? 1 : 0) < ($1.label, $1.isSecure ? 1 : 0) }
    }

    private static let prefix = "fastrpc-"
    private static let suffix = "-secure"
}

extension FastRPCNode: CustomStringConvertible {
    /// The node's path.
    public var description: String { path }
}
