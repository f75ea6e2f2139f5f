import RemoteCalls

/// An interface that the host serves to the DSP, for example `apps_std`.
///
/// `invoke` is called by one thread at a time, with zeroed out buffers; it throws the status that the DSP
/// gets instead of a reply. It must not call the DSP of the same session.
public protocol ReverseService: AnyObject, RemoteInvoker {
    /// The name by which the DSP opens it.
    var name: String { get }
}

extension AEEResult {
    /// `AEE_EOUTOFHANDLES`
    static let outOfHandles = AEEResult(rawValue: 0x2d)
    /// `AEE_ENOSUCHMOD`
    static let noSuchModule = AEEResult(rawValue: 0x3e)
}
