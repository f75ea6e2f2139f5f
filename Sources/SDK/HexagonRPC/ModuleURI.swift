/// Names a shared object for the DSP to load and the function in it that takes the calls.
///
/// Form: `file:///libNAME_skel.so?NAME_skel_handle_invoke&_modver=1.0&_dom=cdsp&_session=1`.
public struct ModuleURI: Hashable, Sendable {
    /// The file that the DSP's loader looks for in its search path.
    public var file: String
    /// The exported function, `<interface>_skel_handle_invoke` for generated code.
    public var symbol: String
    /// Further `key=value` pairs; `_modver` among them.
    public var parameters: [(key: String, value: String)]

    /// The module that generated code for `interface` lies in.
    ///
    /// - Parameter file: where the shared object has another name than `lib<interface>_skel.so`.
    public init(interface: String, file: String? = nil) {
        self.file = file ?? "lib\(interface)_skel.so"
        symbol = "\(interface)_skel_handle_invoke"
        parameters = [("_modver", "1.0")]
    }

    /// Takes a URI apart; `nil` where it does not have the form.
    public init?(_ text: some StringProtocol) {
        guard text.hasPrefix("file://") else { return nil }
        var rest = text.dropFirst("file://".count)
        if rest.hasPrefix("/") { rest = rest.dropFirst() }
        guard let question = rest.firstIndex(of: "?") else { return nil }
        file = String(rest[..<question])
        let fields = rest[rest.index(after: question)...].split(
            separator: "&", omittingEmptySubsequences: false)
        symbol = String(fields[0])
        guard !file.isEmpty, !symbol.isEmpty else { return nil }
        parameters = fields.dropFirst().map { field in
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(pair[0]), pair.count == 2 ? String(pair[1]) : "")
        }
    }

    /// The value of a parameter such as `_dom`.
    public subscript(key: String) -> String? {
        get { parameters.first { $0.key == key }?.value }
        set {
            parameters.removeAll { $0.key == key }
            if let newValue { parameters.append((key, newValue)) }
        }
    }

    /// The same module in a session of a domain, as the C library wants it named.
    public func on(_ session: SessionConfiguration) -> ModuleURI {
        var uri = self
        uri["_dom"] = session.domain.name
        uri["_session"] = session.index == 0 ? nil : String(session.index)
        return uri
    }

    /// Two modules are the same when their texts are.
    public static func == (a: ModuleURI, b: ModuleURI) -> Bool {
        a.description == b.description
    }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(description)
    }
}

extension ModuleURI: CustomStringConvertible {
    /// The URI's text.
    public var description: String {
        parameters.reduce("file:///\(file)?\(symbol)") { $0 + "&\($1.key)=\($1.value)" }
    }
}
