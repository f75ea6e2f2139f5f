import RemoteCalls

extension AEEResult {
    /// `AEE_EUNABLETOLOAD`
    static let unableToLoad = AEEResult(rawValue: 0x06)
    /// `AEE_EBADSTATE`
    static let badState = AEEResult(rawValue: 0x0d)
    /// `AEE_ENOSUCH`
    static let noSuch = AEEResult(rawValue: 0x27)
    /// `AEE_ENOSUCHSYMBOL`
    static let noSuchSymbol = AEEResult(rawValue: 0x42)
    /// `AEE_EBADELF`
    static let badELF = AEEResult(rawValue: 0x52)
    /// `AEE_EMAPALREADYPRESENT`
    static let mapAlreadyPresent = AEEResult(rawValue: 0x87)

    /// The codes that the DSP says without its offset.
    private static let plain: Set<UInt32> = [39, 46, 104, 516]

    /// The code as the DSP says it: with its offset `0x80000400`. A program built for the host says
    /// `AEE_EBADPARM` as 0x0e where one built for the DSP says 0x8000040e.
    var onDSP: AEEResult {
        guard rawValue > 0, rawValue < 0x400, !Self.plain.contains(rawValue) else { return self }
        return AEEResult(rawValue: 0x8000_0400 + rawValue)
    }
}
