import RemoteCalls
import VirtualChannel

/// How a process of the virtual DSP executes its programs: as the host's own code, or as Hexagon's.
protocol Execution: Sendable {
    /// What its shared objects look like.
    var format: ModuleImage.Format { get }
    /// Whether it needs the descriptors of buffers, besides their memory.
    var needsFiles: Bool { get }

    /// Begins the process; called once, before anything else. Log lines of programs go to `log`.
    func begin(
        _ process: ProcessDescription, log: @escaping @Sendable (String) -> Void
    ) throws(RemoteCallError)

    /// Loads a shared object.
    ///
    /// - Throws: `AEE_EUNABLETOLOAD` with the loader's own words.
    func load(
        _ bytes: [UInt8], name: String, dependencies: [any ModuleLibrary]
    ) throws(RemoteCallError) -> any ModuleLibrary

    /// Whether a library that another needs is part of the system, as the C library is part of the DSP's.
    func isOfSystem(_ name: String) -> Bool

    /// Makes a buffer known to programs, by the client's descriptor.
    func map(_ memory: MappedMemory, isVisible: Bool) throws(RemoteCallError)
    /// Undoes that.
    func unmap(_ memory: MappedMemory)

    /// Whether programs can no longer be executed: the process is dead.
    var isEnded: Bool { get }
}

/// A shared object that is loaded. Unloaded when nobody uses it any more.
protocol ModuleLibrary: AnyObject, Sendable {
    /// A skel's entry: handle, scalars, arguments.
    typealias Entry =
        @Sendable (
            UInt64, Scalars, UnsafeMutableBufferPointer<RemoteArgument>
        ) throws(RemoteCallError) -> AEEResult

    /// The function of a skel that takes calls; nil where there is none of that name.
    func entry(_ symbol: String) throws(RemoteCallError) -> Entry?
}

/// Programs of the host's architecture, in this process.
struct NativeExecution: Execution {
    var format: ModuleImage.Format { .host }
    var needsFiles: Bool { false }
    var isEnded: Bool { false }

    func begin(_ process: ProcessDescription, log: @escaping @Sendable (String) -> Void) {}

    func load(
        _ bytes: [UInt8], name: String, dependencies: [any ModuleLibrary]
    ) throws(RemoteCallError) -> any ModuleLibrary {
        try NativeLibrary(bytes, name: name, dependencies: dependencies)
    }

    func isOfSystem(_ name: String) -> Bool { NativeLibrary.isOfSystem(name) }

    // They find the memory where it is mapped already.
    func map(_ memory: MappedMemory, isVisible: Bool) {}
    func unmap(_ memory: MappedMemory) {}
}
