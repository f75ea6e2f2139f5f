/// The header of a message to or from `hexagon-process`: `message` of its `channel.h`, 32 bytes, little-endian.
struct HexagonMessage: BitwiseCopyable {
    enum Kind: UInt32 {
        case load = 1
        case unload
        case symbol
        case invoke
        case map
        case unmap
        case reply = 0x80
        case ready
        case log
        case power
    }

    static let byteCount = 32
    /// What `hexagon-process` says of itself in its first message.
    static let version: UInt32 = 1

    private var rawKind: UInt32
    /// Which call a reply is for.
    var call: UInt32
    var a: UInt32
    var b: UInt32
    var c: UInt64
    /// Bytes that follow.
    var payload: UInt64

    var kind: Kind? { Kind(rawValue: UInt32(littleEndian: rawKind)) }

    init(_ kind: Kind, a: UInt32 = 0, b: UInt32 = 0, c: UInt64 = 0) {
        rawKind = kind.rawValue.littleEndian
        (call, self.a, self.b, self.c, payload) = (0, a, b, c, 0)
    }
}
