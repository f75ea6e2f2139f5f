import Glibc
import SharedMemory

/// Bytes as an anonymous file, which ends with this object.
final class MemoryFile: Sendable {
    let descriptor: CInt

    /// Nil without memory.
    init?(_ bytes: [UInt8], name: String) {
        guard let file = try? SystemCalls.memoryFile(name) else { return nil }
        descriptor = file
        let isWritten = bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(file, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                written += count
            }
            return true
        }
        guard isWritten else { return nil }
    }

    deinit { SystemCalls.close(descriptor) }
}
