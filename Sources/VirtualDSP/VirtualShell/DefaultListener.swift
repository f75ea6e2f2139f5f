import RemoteCalls

/// `adsp_default_listener`: a daemon registers itself as the one that serves the process's calls to the host.
/// Here every listener is served alike, so that there is nothing to remember.
enum DefaultListener: Sendable {
    /// Opened by its name; `register` is method 0.
    case byName
    /// Opened by a URI, with a handle of its own; `register` is method 2.
    case byURI

    /// What is opened; nil for anything else.
    init?(_ text: String) {
        if text == "adsp_default_listener" {
            self = .byName
        } else if let uri = ModuleURI(text), uri.file == "libadsp_default_listener1_skel.so",
            uri.symbol == "adsp_default_listener1_skel_handle_invoke"
        {
            self = .byURI
        } else {
            return nil
        }
    }

    func invoke(_ scalars: Scalars) throws(RemoteCallError) {
        guard scalars == Scalars(method: self == .byName ? 0 : 2) else {
            throw RemoteCallError(.unsupported, operation: "call \(scalars) on adsp_default_listener")
        }
    }
}
