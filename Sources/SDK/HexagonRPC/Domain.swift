/// One of the DSPs of a chip, by FastRPC's number and name.
///
/// Source: `qualcomm/fastrpc`, `inc/remote.h`.
public struct Domain: RawRepresentable, Hashable, Sendable {
    /// The number that the C interfaces use.
    public var rawValue: CInt

    /// Wraps a number.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// `ADSP_DOMAIN_ID`: audio.
    public static let audio = Domain(rawValue: 0)
    /// `MDSP_DOMAIN_ID`: modem.
    public static let modem = Domain(rawValue: 1)
    /// `SDSP_DOMAIN_ID`: sensors.
    public static let sensors = Domain(rawValue: 2)
    /// `CDSP_DOMAIN_ID`: compute, where the vector units are.
    public static let compute = Domain(rawValue: 3)
    /// `CDSP1_DOMAIN_ID`: a second compute DSP.
    public static let compute1 = Domain(rawValue: 4)

    private static let names = ["adsp", "mdsp", "sdsp", "cdsp", "cdsp1", "gdsp0", "gdsp1"]

    /// The domain called `name` in URIs and device nodes, such as `cdsp`.
    public init?(name: String) {
        guard let index = Self.names.firstIndex(of: name) else { return nil }
        rawValue = CInt(index)
    }

    /// The name in URIs and device nodes, such as `cdsp`.
    public var name: String {
        Self.names.indices.contains(Int(rawValue)) ? Self.names[Int(rawValue)] : "domain\(rawValue)"
    }
}

extension Domain: CustomStringConvertible {
    /// The name in URIs and device nodes.
    public var description: String { name }
}
