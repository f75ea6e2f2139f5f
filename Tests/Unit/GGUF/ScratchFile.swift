import Foundation
import GGUF

/// A file in a folder of its own that vanishes with this object; made to be damaged.
final class ScratchFile {
    let path: String
    private let folder: String

    init(_ bytes: [UInt8] = []) throws {
        folder = NSTemporaryDirectory() + "/gguf-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        path = folder + "/file.gguf"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Everything in the file's folder.
    var neighbours: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    }

    var bytes: [UInt8] {
        get throws { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
    }

    func overwrite(_ byte: UInt8, at offset: Int) throws {
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try handle.seek(toOffset: UInt64(offset))
        try handle.write(contentsOf: [byte])
        try handle.close()
    }

    func truncate(to count: Int) {
        precondition(Glibc.truncate(path, count) == 0)
    }

    /// Opens the file and, if that works, reads everything in it. Returns the error it threw, if any.
    @discardableResult
    func read() -> GGUFError? {
        do {
            let file = try GGUFFile(path: path)
            var sum = 0
            for key in file.metadata.keys {
                guard let value = file.metadata[key] else { continue }
                sum &+= "\(value.array?.values.count ?? 0)\(value)".count
                sum &+= value.array?.strings?.count ?? value.array?.floats?.count ?? 0
            }
            for tensor in file.tensors {
                let bytes = file.bytes(of: tensor)
                precondition(bytes.count == tensor.byteCount && tensor.elementCount > 0)
                sum &+= Int(bytes.first ?? 0) &+ Int(bytes.last ?? 0)
            }
            return sum == Int.min ? nil : nil
        } catch {
            return error
        }
    }
}
