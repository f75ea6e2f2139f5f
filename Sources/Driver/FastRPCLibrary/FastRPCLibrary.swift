import Glibc

/// The FastRPC library of the machine, `libcdsprpc.so`, loaded at run time.
///
/// Nothing is linked against it: a machine without the library gets an error, and a library that lacks
/// functions is refused by their names or, where they are optional, used without them. The methods are
/// the C functions themselves; what their status codes mean is for the floor above to say.
///
/// A library stays loaded until the process ends: it starts threads of its own, and a process can use one
/// only. All instances of one process share it.
public final class FastRPCLibrary: Sendable {
    /// The file that was loaded, as the dynamic loader names it.
    public let file: String
    /// Optional functions that this file lacks.
    public let missingOptionalSymbols: [String]
    /// The queue functions, where the file has all of them.
    public var queueFunctions: DSPQueueFunctions? { optional.queue }

    let required: RequiredSymbols
    let optional: OptionalSymbols

    /// The environment variable that names another file to load.
    public static let environmentVariable = "HEXAGONRPC_LIBRARY"
    /// The names that are tried where none is given.
    public static let defaultNames = ["libcdsprpc.so.1", "libcdsprpc.so"]

    /// Names of the functions that a library must have.
    public static var requiredSymbols: [String] { symbolNames.required }
    /// Names of the functions that are used where a library has them.
    public static var optionalSymbols: [String] { symbolNames.optional }

    private static let symbolNames = {
        var loader = SymbolLoader()
        _ = RequiredSymbols(&loader)
        _ = OptionalSymbols(&loader)
        return loader.requested
    }()

    /// Loads the library, or joins the one that this process already uses.
    ///
    /// - Parameter path: the file. Without it, the file that the environment variable
    ///   `HEXAGONRPC_LIBRARY` names; without that, whichever library this process already uses, then
    ///   `libcdsprpc.so.1` and `libcdsprpc.so` wherever the dynamic loader finds them.
    /// - Throws: ``FastRPCLibraryError``, when there is no such file, when it lacks functions, or when the
    ///   process already uses another library.
    public convenience init(path: String? = nil) throws(FastRPCLibraryError) {
        try self.init(path: path, registry: .process)
    }

    /// Loads with a registry of its own, so that a test can load several libraries.
    package init(path: String?, registry: LibraryRegistry) throws(FastRPCLibraryError) {
        let fromEnvironment = getenv(Self.environmentVariable).map { String(cString: $0) } ?? ""
        let (handle, file) = try registry.load(path ?? (fromEnvironment.isEmpty ? nil : fromEnvironment))
        var loader = SymbolLoader(library: handle)
        let symbols = RequiredSymbols(&loader)
        guard let symbols else {
            dlclose(handle)
            throw .missingSymbols(loader.missingRequired, file: file)
        }
        optional = OptionalSymbols(&loader)
        required = symbols
        self.file = file
        missingOptionalSymbols = loader.missingOptional
        try registry.settle(on: file)
    }
}
