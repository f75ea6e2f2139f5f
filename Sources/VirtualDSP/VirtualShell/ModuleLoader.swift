import RemoteCalls

/// Loads what the client opens: fetches libraries from the host, one at a time, and keeps them while they
/// are used.
final class ModuleLoader: Sendable {
    private let host: HostServices
    private let execution: any Execution
    private let loading = Monitor(false)
    private let state = Monitor(State())
    /// What a load asks of the host for its heap.
    private static let heapStep = 1 << 20
    /// Libraries that need each other further than that are no libraries.
    private static let maximumDepth = 8

    private struct WeakLibrary {
        weak var library: (any ModuleLibrary)?
    }

    private struct State {
        var libraries: [String: WeakLibrary] = [:]
        var hasGrownHeap = false
        var loads: UInt64 = 0
    }

    init(_ host: HostServices, _ execution: any Execution) {
        self.host = host
        self.execution = execution
    }

    /// A module's library and its entry.
    func load(
        _ uri: ModuleURI, _ behaviour: Behaviour
    ) throws(RemoteCallError) -> (any ModuleLibrary, ModuleLibrary.Entry) {
        loading.waitForever { isLoading in
            if isLoading { return nil as Void? }
            isLoading = true
            return ()
        }
        defer { loading.withLock { $0 = false } }
        if behaviour == .malformedReverseCalls {
            let seed = state.withLock { state in
                state.loads += 1
                return state.loads
            }
            MalformedCalls(host, seed: seed).send()
        }
        if !state.withLock({ $0.hasGrownHeap }) {
            state.withLock { $0.hasGrownHeap = true }
            // Refused, the initial memory must do.
            do throws(RemoteCallError) {
                try host.growHeap(Self.heapStep)
            } catch {
                if host.caller.isEnded || error.result == .unableToLoad { throw error }
            }
        }
        // The host is asked all the same, and says what it searched for the file.
        let name = behaviour == .skelNotFound ? Self.missingFolder + uri.file : uri.file
        guard let library = try find(name, behaviour, depth: 0) else {
            throw RemoteCallError(.unableToLoad, operation: "\(uri.file) not found")
        }
        guard behaviour != .wrongSymbol, let entry = try library.entry(uri.symbol) else {
            throw RemoteCallError(.noSuchSymbol, operation: "\(uri.file) has no function \(uri.symbol)")
        }
        return (library, entry)
    }

    /// A library, loaded already or now; nil where the host has none of that name.
    private func find(
        _ name: String, _ behaviour: Behaviour, depth: Int
    ) throws(RemoteCallError) -> (any ModuleLibrary)? {
        if let library = state.withLock({ $0.libraries[name]?.library }) { return library }
        guard depth < Self.maximumDepth else {
            throw RemoteCallError(.unableToLoad, operation: "\(name): libraries need each other without end")
        }
        guard let bytes = try host.file(name) else { return nil }
        var needed = try ModuleImage(bytes, execution.format, name: name).needed
        if behaviour == .missingDependency, depth == 0 { needed.append(Self.missingLibrary) }
        var dependencies: [any ModuleLibrary] = []
        for other in needed where !execution.isOfSystem(other) {
            guard let dependency = try find(other, behaviour, depth: depth + 1) else {
                throw RemoteCallError(.unableToLoad, operation: "\(name) needs \(other), not found")
            }
            dependencies.append(dependency)
        }
        let library = try execution.load(bytes, name: name, dependencies: dependencies)
        state.withLock { $0.libraries[name] = WeakLibrary(library: library) }
        return library
    }

    /// What the scenario of a missing dependency says a skel needs.
    private static let missingLibrary = "libhexagonrpc_missing.so.1"
    /// Below this folder, the scenario of a missing skel looks for it.
    private static let missingFolder = "missing-by-scenario/"
}

/// `file:///libX.so?X_skel_handle_invoke&_modver=1.0…`
struct ModuleURI: Hashable {
    /// The library's file.
    var file: String
    /// The function that takes calls.
    var symbol: String

    init(file: String, symbol: String) {
        self.file = file
        self.symbol = symbol
    }

    /// Reads a URI; what follows the function does not matter. Nil for anything else.
    init?(_ text: String) {
        let prefix = "file:///"
        guard text.hasPrefix(prefix) else { return nil }
        let parts = text.dropFirst(prefix.count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.count < 256 else { return nil }
        let symbol = parts[1].prefix { $0 != "&" }
        guard !symbol.isEmpty, symbol.utf8.count < 256 else { return nil }
        file = String(parts[0])
        self.symbol = String(symbol)
    }
}
