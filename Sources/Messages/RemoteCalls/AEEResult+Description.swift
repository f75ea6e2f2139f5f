extension AEEResult {
    /// `DSP_AEE_EOFFSET`: what code on the DSP adds to its codes, so that a host can tell who failed.
    public static let dspOffset: UInt32 = 0x8000_0400

    /// Whether the code carries the DSP's offset.
    public var isFromDSP: Bool { rawValue &- Self.dspOffset <= 0x3ff && rawValue != Self.dspOffset }

    /// The code without the DSP's offset: `AEE_EBADPARM` from either side is equal to `badParameter`.
    public var withoutOffset: AEEResult {
        isFromDSP ? AEEResult(rawValue: rawValue - Self.dspOffset) : self
    }

    /// The code as the DSP sends it.
    public var fromDSP: AEEResult {
        isFromDSP || self == .success ? self : AEEResult(rawValue: rawValue &+ Self.dspOffset)
    }

    /// The C name, for example `AEE_EBADPARM`, or nil where the table has none.
    public var name: String? { entry?.name }

    /// What the code means, in a few words, or nil where the table does not know it.
    public var meaning: String? { entry?.meaning }

    private var entry: Entry? {
        if let plain = Self.plainTable.first(where: { $0.code == rawValue }) { return plain }
        let code = withoutOffset.rawValue
        var low = 0
        var high = Self.table.count
        while low < high {
            let middle = (low + high) / 2
            if Self.table[middle].code < code { low = middle + 1 } else { high = middle }
        }
        return low < Self.table.count && Self.table[low].code == code ? Self.table[low] : nil
    }
}

extension AEEResult: CustomStringConvertible {
    /// Name and code, for example `AEE_EBADPARM (0x0e)`, or `AEE_EBADPARM (0x8000040e, from the DSP)`.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        let code = "0x" + (digits.count < 2 ? "0" : "") + digits
        return "\(name ?? "unknown status") (\(code)\(isFromDSP ? ", from the DSP" : ""))"
    }
}
