import RemoteCalls

/// What a process on a DSP wanted of the host, for who looks on.
package enum ListenerEvent: Sendable {
    /// It asked for a file, and got it or not.
    case file(String, isFound: Bool)
    /// It logged something at least as grave as a warning.
    case warning(String)
    /// It made a call that was served, if only by an honest refusal.
    case call
    /// It made a call that no correct DSP makes.
    case malformedCall(handle: UInt32, scalars: Scalars, AEEResult)

    /// A call by what came of it.
    init(handle: UInt32, scalars: Scalars, _ result: AEEResult) {
        switch result {
        case .badParameter, .unsupported, .noSuch:
            self = .malformedCall(handle: handle, scalars: scalars, result)
        default: self = .call
        }
    }
}

extension AEEResult {
    /// `AEE_ENOSUCH`
    fileprivate static let noSuch = AEEResult(rawValue: 0x27)
}
