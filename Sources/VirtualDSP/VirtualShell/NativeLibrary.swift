import CLinux
import CRemote
import Glibc
import RemoteCalls
import SharedMemory

/// A shared object that came through the reverse tunnel and is loaded into this process. Unloaded when nobody
/// uses it any more.
final class NativeLibrary: ModuleLibrary, @unchecked Sendable {
    private let handle: UnsafeMutableRawPointer
    private let file: MemoryFile
    private let path: String
    private let dependencies: [any ModuleLibrary]

    /// Loads a library from memory.
    ///
    /// - Throws: `AEE_EUNABLETOLOAD` with the C library's own words.
    init(_ bytes: [UInt8], name: String, dependencies: [any ModuleLibrary]) throws(RemoteCallError) {
        guard let file = MemoryFile(bytes, name: name) else {
            throw RemoteCallError(.noMemory, operation: "loading \(name)")
        }
        path = "/proc/self/fd/\(file.descriptor)"
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let words = dlerror().map { String(cString: $0) } ?? "no memory"
            throw RemoteCallError(.unableToLoad, operation: "loading \(name): \(words)")
        }
        self.file = file
        self.handle = handle
        self.dependencies = dependencies
    }

    deinit {
        dlclose(handle)
        // The C library knows loaded objects by their path: one that stays loaded keeps its descriptor, so
        // that no other object gets the same path.
        if let remaining = dlopen(path, RTLD_NOW | RTLD_NOLOAD) {
            dlclose(remaining)
            _ = Unmanaged.passRetained(file)
        }
    }

    func entry(_ symbol: String) -> Entry? {
        typealias Function = @convention(c) (UInt64, UInt32, UnsafeMutablePointer<remote_arg>?) -> CInt
        guard let function = dlsym(handle, symbol).map({ unsafeBitCast($0, to: Function.self) }) else {
            return nil
        }
        return { (handle, scalars, arguments) throws(RemoteCallError) in
            // `RemoteArgument` has the layout of the C union.
            guard let base = arguments.baseAddress else {
                return AEEResult(function(handle, scalars.rawValue, nil))
            }
            return base.withMemoryRebound(to: remote_arg.self, capacity: max(1, arguments.count)) {
                AEEResult(function(handle, scalars.rawValue, $0))
            }
        }
    }

    /// Whether a library that another needs is part of the system here, as the C library is part of the
    /// DSP's.
    static func isOfSystem(_ name: String) -> Bool {
        // Code for the host that was not made for the DSP needs what its compiler brings along.
        let stems = ["libc.so", "libm.so", "libgcc", "ld-linux", "libpthread.so", "libdl.so", "librt.so"]
        if stems.contains(where: name.hasPrefix) { return true }
        guard !name.contains("/"), let handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD) else { return false }
        dlclose(handle)
        return true
    }
}
