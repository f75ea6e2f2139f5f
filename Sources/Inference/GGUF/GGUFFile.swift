/// A model in GGUF files of version 2 or 3, little-endian, mapped read-only: one file, or the parts of a split model
/// (`NAME-00001-of-00003.gguf`), whichever of them is named.
///
/// Opening checks everything that can be checked without reading the tensors' contents: every length,
/// count, type, offset and size lies inside the file. The metadata's arrays and the tensors stay in the
/// mapping until they are asked for. Source of the format: ggml's `docs/gguf.md`.
public final class GGUFFile: Sendable {
    /// Where the file is; of a split model, the first.
    public let path: String
    /// The format's version, 2 or 3.
    public let version: Int
    /// The key-value pairs; of a split model, those of the first file.
    public let metadata: Metadata
    /// The tensors, in the files' order.
    public let tensors: [TensorInfo]
    /// What every tensor's offset is a multiple of.
    public let alignment: Int

    private let parts: [MappedFile]
    private let tensorIndices: [String: Int]

    /// Opens, maps and checks a file, and the others of its model where it is split.
    public init(path: String) throws(GGUFError) {
        let parts = try GGUFPart.all(from: path)
        let first = parts[0]
        self.path = first.file.path
        (version, metadata, alignment) = (first.version, first.metadata, first.alignment)
        self.parts = parts.map(\.file)
        var tensors: [TensorInfo] = []
        var indices: [String: Int] = [:]
        for part in parts {
            for tensor in part.tensors {
                guard indices.updateValue(tensors.count, forKey: tensor.name) == nil else {
                    throw GGUFError(
                        .malformed, path: part.file.path,
                        "tensor \(quoted(tensor.name)) is in another part of the model, too")
                }
                tensors.append(tensor)
            }
        }
        (self.tensors, tensorIndices) = (tensors, indices)
    }

    /// The keys that say how a model is split.
    package static let splitKeys: Set = ["split.no", "split.count", "split.tensors.count"]

    /// The files of the model.
    public var paths: [String] { parts.map(\.path) }

    /// The size of the file, or of all of them, in bytes.
    public var byteCount: Int { parts.reduce(0) { $0 + $1.bytes.count } }

    /// When the file was last changed before it was opened, in nanoseconds since 1970.
    package var modificationTime: Int { parts.reduce(Int.min) { max($0, $1.modificationTime) } }

    /// Whether that path leads to the file, or to one of them, by whatever name.
    package func isStored(at path: String) -> Bool { parts.contains { $0.isStored(at: path) } }

    /// The tensor of that name, or nil.
    public func tensor(named name: String) -> TensorInfo? {
        tensorIndices[name].map { tensors[$0] }
    }

    /// The tensor of that name; throws ``GGUFError`` where there is none.
    public func requiredTensor(named name: String) throws(GGUFError) -> TensorInfo {
        guard let tensor = tensor(named: name) else {
            throw GGUFError(.missing, path: path, "tensor \(quoted(name)) is missing")
        }
        return tensor
    }

    /// A tensor's bytes in the mapping, valid while this object lives.
    ///
    /// - Precondition: `tensor` is one of this file's.
    public func bytes(of tensor: TensorInfo) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            rebasing: parts[tensor.part].bytes[tensor.fileOffset..<tensor.fileOffset + tensor.byteCount])
    }

    /// What a reader is about to do with a tensor's bytes.
    public enum Advice: Hashable, Sendable {
        /// Read them soon: the kernel may fetch them ahead.
        case willNeed
        /// Not read them again soon: their memory may go; a later read fetches them from the file.
        case doneWith
    }

    /// Tells the kernel what becomes of a tensor's bytes. A hint: it cannot fail.
    public func advise(_ advice: Advice, _ tensor: TensorInfo) {
        parts[tensor.part].advise(advice, tensor.fileOffset..<tensor.fileOffset + tensor.byteCount)
    }

    /// The same of some of a tensor's bytes.
    ///
    /// - Precondition: they are a part of what ``bytes(of:)`` gave.
    package func advise(_ advice: Advice, _ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        for part in parts {
            guard let base = part.bytes.baseAddress, start >= base, start <= base + part.bytes.count else {
                continue
            }
            let range = start - base..<start - base + bytes.count
            precondition(range.upperBound <= part.bytes.count)
            part.advise(advice, range)
        }
    }
}
