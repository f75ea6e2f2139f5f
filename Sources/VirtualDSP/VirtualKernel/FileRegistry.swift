import Glibc
import SharedMemory
import Synchronization

/// Finds what stands behind a descriptor by the inode that the emulated kernel made for it.
package final class FileRegistry: Sendable {
    private struct Key: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private let files = Mutex<[Key: any VirtualFile]>([:])

    package init() {}

    /// Remembers what a descriptor's inode stands for.
    package func register(_ file: any VirtualFile, for descriptor: CInt) throws(SystemError) {
        let key = try Self.key(descriptor)
        files.withLock { $0[key] = file }
    }

    /// Forgets a descriptor's inode.
    package func remove(_ descriptor: CInt) {
        guard let key = try? Self.key(descriptor) else { return }
        _ = files.withLock { $0.removeValue(forKey: key) }
    }

    /// What stands behind a descriptor; nil for files of other origin.
    package func file(_ descriptor: CInt) -> (any VirtualFile)? {
        guard let key = try? Self.key(descriptor) else { return nil }
        return files.withLock { $0[key] }
    }

    private static func key(_ descriptor: CInt) throws(SystemError) -> Key {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemError(errno) }
        return Key(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
