/// The language's scalar types. Size and alignment on the wire are equal.
package enum ScalarType: String, Sendable, CaseIterable {
    case octet, boolean, char, wchar
    case int8, int16, int32, int64
    case uint8, uint16, uint32, uint64
    case float, double

    package var size: Int {
        switch self {
        case .octet, .boolean, .char, .int8, .uint8: 1
        case .wchar, .int16, .uint16: 2
        case .int32, .uint32, .float: 4
        case .int64, .uint64, .double: 8
        }
    }

    var isFloatingPoint: Bool { self == .float || self == .double }

    /// Whether negative values exist. `char` has the signedness of no platform: 0…255.
    var isSigned: Bool {
        switch self {
        case .int8, .int16, .int32, .int64: true
        default: false
        }
    }
}
