/// A status code of FastRPC: zero is success. The same code may carry the DSP's offset `0x80000400`.
///
/// Values: `qualcomm/fastrpc`, `inc/AEEStdErr.h`.
public struct AEEResult: RawRepresentable, Hashable, Sendable {
    /// The code as it was returned.
    public var rawValue: UInt32

    /// Wraps a code.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Wraps the `int` that C functions return.
    public init(_ status: CInt) {
        rawValue = UInt32(bitPattern: status)
    }

    /// The code as C functions return it.
    public var status: CInt { CInt(bitPattern: rawValue) }

    /// `AEE_SUCCESS`
    public static let success = AEEResult(rawValue: 0)
    /// `AEE_EFAILED`
    public static let failed = AEEResult(rawValue: 0x01)
    /// `AEE_ENOMEMORY`
    public static let noMemory = AEEResult(rawValue: 0x02)
    /// `AEE_EEXPIRED`
    public static let expired = AEEResult(rawValue: 0x0c)
    /// `AEE_EBADPARM`
    public static let badParameter = AEEResult(rawValue: 0x0e)
    /// `AEE_EUNSUPPORTED`
    public static let unsupported = AEEResult(rawValue: 0x14)
    /// `AEE_EINVHANDLE`
    public static let invalidHandle = AEEResult(rawValue: 0x2c)
    /// `AEE_ECONNREFUSED`: the session could not be made; five different causes share it.
    public static let connectionRefused = AEEResult(rawValue: 0x72)
}
