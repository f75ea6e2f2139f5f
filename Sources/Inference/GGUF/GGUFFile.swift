/// A GGUF file of version 2 or 3, little-endian, mapped read-only.
///
/// Opening checks everything that can be checked without reading the tensors' contents: every length,
/// count, type, offset and size lies inside the file. The metadata's arrays and the tensors stay in the
/// mapping until they are asked for. Source of the format: ggml's `docs/gguf.md`.
public final class GGUFFile: Sendable {
    /// Where the file is.
    public let path: String
    /// The format's version, 2 or 3.
    public let version: Int
    /// The key-value pairs.
    public let metadata: Metadata
    /// The tensors, in the file's order.
    public let tensors: [TensorInfo]
    /// What every tensor's offset is a multiple of.
    public let alignment: Int

    private let file: MappedFile
    private let tensorIndices: [String: Int]

    /// Opens, maps and checks a file.
    public init(path: String) throws(GGUFError) {
        file = try MappedFile(path: path)
        self.path = path
        var parser = GGUFParser(file: file)
        let header = try parser.readHeader()
        version = header.version
        metadata = try parser.readMetadata(count: header.metadataCount)
        alignment = try parser.readAlignment(metadata)
        if let parts = try metadata.integerIfPresent("split.count"), parts > 1 {
            throw GGUFError(
                .unsupported, path: path,
                "the model is split into \(parts) files; join them first with llama.cpp's gguf-split --merge")
        }
        (tensors, tensorIndices) = try parser.readTensors(count: header.tensorCount, alignment: alignment)
    }

    /// The size of the file in bytes.
    public var byteCount: Int { file.bytes.count }

    /// When the file was last changed before it was opened, in nanoseconds since 1970.
    package var modificationTime: Int { file.modificationTime }

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
            rebasing: file.bytes[tensor.fileOffset..<tensor.fileOffset + tensor.byteCount])
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
        file.advise(advice, tensor.fileOffset..<tensor.fileOffset + tensor.byteCount)
    }

    /// The same of some of a tensor's bytes.
    ///
    /// - Precondition: they are a part of what ``bytes(of:)`` gave.
    package func advise(_ advice: Advice, _ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, let base = file.bytes.baseAddress else { return }
        let range = start - base..<start - base + bytes.count
        precondition(range.lowerBound >= 0 && range.upperBound <= file.bytes.count)
        file.advise(advice, range)
    }
}
