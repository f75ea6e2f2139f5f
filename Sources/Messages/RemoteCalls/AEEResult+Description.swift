import ErrorCodes

extension AEEResult {
    /// `DSP_AEE_EOFFSET`: what code on the DSP adds to its codes, so that a host can tell who failed.
    public static let dspOffset: UInt32 = 0x8000_0400

    /// Whether the code carries the DSP's offset.
    public var isFromDSP: Bool { ErrorCodes.isFromDSP(rawValue) }

    /// The code without the DSP's offset: `AEE_EBADPARM` from either side is equal to `badParameter`.
    public var withoutOffset: AEEResult {
        isFromDSP ? AEEResult(rawValue: rawValue - Self.dspOffset) : self
    }

    /// The code as the DSP sends it.
    public var fromDSP: AEEResult {
        isFromDSP || self == .success ? self : AEEResult(rawValue: rawValue &+ Self.dspOffset)
    }

    /// The C name, for example `AEE_EBADPARM`, or nil where the table has none.
    public var name: String? { ErrorCodes.name(of: rawValue)?.name }

    /// What the code means, in a few words, or nil where the table does not know it.
    public var meaning: String? { ErrorCodes.name(of: rawValue)?.meaning }
}

extension AEEResult: CustomStringConvertible {
    /// Name and code, for example `AEE_EBADPARM (0x0e)`, or `AEE_EBADPARM (0x8000040e, from the DSP)`.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        let code = "0x" + (digits.count < 2 ? "0" : "") + digits
        return "\(name ?? "unknown status") (\(code)\(isFromDSP ? ", from the DSP" : ""))"
    }
}
