import CLinux
import Glibc
import Synchronization

/// Remembers which FastRPC library a process uses, since there may be only one: the constructor of
/// libcdsprpc marks the process, and a second library that finds the mark aborts at its first session.
package final class LibraryRegistry: Sendable {
    /// The one of this process.
    package static let process = LibraryRegistry()

    /// Names under which another FastRPC library may be in this process: one for each kind of DSP.
    package static let names = ["c", "a", "s", "m", "g"].flatMap {
        ["lib\($0)dsprpc.so.1", "lib\($0)dsprpc.so"]
    }

    private let names: [String]
    private let settled = Mutex<String?>(nil)

    package init(names: [String] = LibraryRegistry.names) {
        self.names = names
    }

    /// Loads the file a caller named or, if none, the library in use or the first of the default names
    /// that can be loaded. Returns the loader's handle and name of the file.
    func load(
        _ path: String?
    ) throws(FastRPCLibraryError) -> (handle: UnsafeMutableRawPointer, file: String) {
        let current = settled.withLock { $0 } ?? loadedByOthers()
        if let current, let path, path.contains("/"), access(path, F_OK) == 0, !isSameFile(path, current) {
            // Not even loaded: the constructor alone would mark the process again.
            throw .otherLibraryInUse(current, requested: path)
        }
        var attempts: [FastRPCLibraryError.Attempt] = []
        let names = (path ?? current).map { [$0] } ?? FastRPCLibrary.defaultNames
        for name in names {
            guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
                let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
                attempts.append(.init(name: name, reason: reason))
                continue
            }
            let file = fileOf(handle) ?? name
            if let current, !isSameFile(file, current) {
                dlclose(handle)
                throw .otherLibraryInUse(current, requested: file)
            }
            return (handle, file)
        }
        throw .cannotLoad(attempts)
    }

    /// Makes `file` the process's library; throws where another thread was faster with a different one.
    func settle(on file: String) throws(FastRPCLibraryError) {
        let other = settled.withLock { current -> String? in
            if current == nil { current = file }
            return current.flatMap { isSameFile($0, file) ? nil : $0 }
        }
        if let other { throw .otherLibraryInUse(other, requested: file) }
    }

    /// A FastRPC library that something else in this process, linked or loaded, already uses.
    private func loadedByOthers() -> String? {
        for name in names {
            guard let handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD) else { continue }
            defer { dlclose(handle) }
            return fileOf(handle) ?? name
        }
        return nil
    }
}

/// The file behind a handle of the dynamic loader, without symbolic links.
private func fileOf(_ handle: UnsafeMutableRawPointer) -> String? {
    clinux_library_file(handle).map { resolved(String(cString: $0)) }
}

/// The path without symbolic links, or as it is where it cannot be resolved.
private func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
}

private func isSameFile(_ first: String, _ second: String) -> Bool {
    resolved(first) == resolved(second)
}
