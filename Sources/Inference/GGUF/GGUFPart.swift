/// One file of a model: all of it, or a part of a split one.
///
/// Parts are named `NAME-00002-of-00003.gguf`, counted from 1, and say in their keys which they are (`split.no`, from 0), how
/// many there are (`split.count`), and how many tensors all of them hold (`split.tensors.count`).
struct GGUFPart {
    let file: MappedFile
    let version: Int
    let metadata: Metadata
    let alignment: Int
    let tensors: [TensorInfo]

    private init(path: String, part: Int) throws(GGUFError) {
        file = try MappedFile(path: path)
        var parser = GGUFParser(file: file, part: part)
        let header = try parser.readHeader()
        version = header.version
        metadata = try parser.readMetadata(count: header.metadataCount)
        alignment = try parser.readAlignment(metadata)
        tensors = try parser.readTensors(count: header.tensorCount, alignment: alignment)
    }

    /// The files of the model of which the one at `path` is a part, in order.
    static func all(from path: String) throws(GGUFError) -> [GGUFPart] {
        let named = try GGUFPart(path: path, part: 0)
        guard let count = try named.metadata.integerIfPresent("split.count"), count > 1 else {
            return [named]
        }
        guard count <= Int(UInt16.max) else {
            throw GGUFError(.malformed, path: path, "split.count is \(count), more than there can be")
        }
        let number = try named.number(of: count)
        let ending = ending(number, of: count)
        guard path.hasSuffix(ending) else {
            throw GGUFError(
                .unsupported, path: path,
                "is part \(number + 1) of \(count) of a model, whose other files are looked for beside it: "
                    + "its name must end in \(ending)")
        }
        let name = path.dropLast(ending.count)
        var parts: [GGUFPart] = []
        for part in 0..<count {
            do {
                parts.append(try GGUFPart(path: name + Self.ending(part, of: count), part: part))
            } catch {
                guard error.kind == .unreadable else { throw error }
                throw GGUFError(
                    .missing, path: error.path, "part \(part + 1) of \(count) of the model: \(error.problem)")
            }
            guard try parts[part].number(of: count) == part else {
                throw GGUFError(
                    .malformed, path: parts[part].file.path,
                    "split.no is not \(part), as it should be by the file's name")
            }
        }
        try checkTensorCount(parts)
        return parts
    }

    /// Which part of `count` this is, from 0.
    private func number(of count: Int) throws(GGUFError) -> Int {
        guard try metadata.integer("split.count") == count else {
            throw GGUFError(
                .malformed, path: file.path, "split.count is not \(count), as in the part that was named")
        }
        let number = try metadata.integer("split.no")
        guard (0..<count).contains(number) else {
            throw GGUFError(.malformed, path: file.path, "split.no is \(number), of \(count) parts")
        }
        return number
    }

    private static func checkTensorCount(_ parts: [GGUFPart]) throws(GGUFError) {
        let total = parts.reduce(0) { $0 + $1.tensors.count }
        for part in parts {
            guard let wanted = try part.metadata.integerIfPresent("split.tensors.count"), wanted != total
            else { continue }
            throw GGUFError(
                .malformed, path: part.file.path,
                "split.tensors.count is \(wanted), but the \(parts.count) parts hold \(total) tensors")
        }
    }

    private static func ending(_ part: Int, of count: Int) -> String {
        func digits(_ number: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, 5 - text.count)) + text
        }
        return "-\(digits(part + 1))-of-\(digits(count)).gguf"
    }
}
