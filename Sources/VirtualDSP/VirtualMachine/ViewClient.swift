import Glibc
import SharedMemory
import Synchronization
import VirtualKernel

/// The supervisor's side of the view: brings it from one tree to the next.
final class ViewClient: Sendable {
    private let socket: CInt
    private let shown = Mutex(VirtualTree())

    /// Takes over the socket to the ``ViewKeeper``.
    init(owning socket: CInt) {
        self.socket = socket
    }

    deinit { close(socket) }

    /// Shows a tree. Returns what could not be shown, and why.
    func show(_ tree: VirtualTree) -> [String] {
        shown.withLock { shown in
            var problems: [String] = []
            func request(_ request: ViewRequest, _ bytes: [UInt8]? = nil) {
                do throws(SystemError) {
                    if let problem = try ask(request, bytes) { problems.append(problem) }
                } catch {
                    problems.append("the view cannot be changed: \(error)")
                }
            }
            func paths(_ tree: VirtualTree) -> Set<String> {
                Set(tree.nodes.keys).union(tree.files.keys).union(tree.links.keys)
            }
            for path in paths(shown).subtracting(paths(tree)).sorted() { request(.removal(path)) }
            for (path, mode) in tree.nodes.sorted(by: { $0.key < $1.key }) where shown.nodes[path] != mode {
                request(.node(path, mode: mode))
            }
            for (path, bytes) in tree.files.sorted(by: { $0.key < $1.key }) where shown.files[path] != bytes {
                request(.file(path), bytes)
            }
            for (path, target) in tree.links.sorted(by: { $0.key < $1.key })
            where shown.links[path] != target {
                request(.link(path, target: target))
            }
            shown = tree
            return problems
        }
    }

    /// Hides what the machine itself has at a path.
    func hide(_ path: String) -> String? {
        shown.withLock { _ in
            do throws(SystemError) { return try ask(.removal(path), nil) } catch { return "\(error)" }
        }
    }

    private func ask(_ request: ViewRequest, _ bytes: [UInt8]?) throws(SystemError) -> String? {
        var file: CInt = -1
        if let bytes { file = try MemoryFile.make("virtual-dsp-file", bytes) }
        defer { if file >= 0 { close(file) } }
        try request.send(socket, with: file)
        guard let (answer, _) = try ViewPacket.receive(socket) else { throw SystemError(EPIPE) }
        return answer.isEmpty ? nil : answer
    }
}

/// Bytes behind a descriptor.
enum MemoryFile {
    /// A new file in memory with this content, its position at the start.
    static func make(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> CInt {
        let file = try SystemCalls.memoryFile(name)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(file, $0.baseAddress.map { $0 + written }, $0.count - written, off_t(written))
            }
            guard count > 0 else {
                let code = errno
                close(file)
                throw SystemError(code)
            }
            written += count
        }
        return file
    }
}
