import CLinux
import CRemote
import Glibc
import RemoteCalls
import SharedMemory

/// A shared object that came through the reverse tunnel and is loaded into this process. Unloaded when nobody
/// uses it any more.
final class Library: @unchecked Sendable {
    /// A skel's entry: handle, scalars, arguments.
    typealias Entry =
        @convention(c) (UInt64, UInt32, UnsafeMutablePointer<remote_arg>?) -> CInt

    private let handle: UnsafeMutableRawPointer
    private let file: CInt
    private let path: String
    private let dependencies: [Library]

    /// Loads a library from memory.
    ///
    /// - Throws: `AEE_EUNABLETOLOAD` with the C library's own words.
    init(_ bytes: [UInt8], name: String, dependencies: [Library]) throws(RemoteCallError) {
        do {
            file = try SystemCalls.memoryFile(name)
        } catch {
            throw RemoteCallError(.noMemory, operation: "loading \(name): \(error)")
        }
        path = "/proc/self/fd/\(file)"
        guard Self.write(bytes, to: file), let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let words = dlerror().map { String(cString: $0) } ?? "no memory"
            SystemCalls.close(file)
            throw RemoteCallError(.unableToLoad, operation: "loading \(name): \(words)")
        }
        self.handle = handle
        self.dependencies = dependencies
    }

    deinit {
        dlclose(handle)
        // The C library knows loaded objects by their path: one that stays loaded keeps its descriptor, so
        // that no other object gets the same path.
        if let remaining = dlopen(path, RTLD_NOW | RTLD_NOLOAD) {
            dlclose(remaining)
        } else {
            SystemCalls.close(file)
        }
    }

    /// The function of a skel that takes calls; nil where there is none of that name.
    func entry(_ symbol: String) -> Entry? {
        dlsym(handle, symbol).map { unsafeBitCast($0, to: Entry.self) }
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

    private static func write(_ bytes: [UInt8], to file: CInt) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = Glibc.write(file, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                written += count
            }
            return true
        }
    }
}
