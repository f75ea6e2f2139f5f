import GGUF
import HTPDevice
import Models

/// A session's tokens with their keys and values in a file: words of 64 bits, little-endian.
///
/// | word | |
/// |---|---|
/// | 0 | `HEXCACHE` |
/// | 1 | version of this format |
/// | 2 | digest of the model and of how it turns queries and keys |
/// | 3 | types of keys and values: their names' numbers, 16 bits each |
/// | 4 | layers |
/// | 5 | tokens |
/// | 6 | size of the file |
/// | … | the tokens, two to a word |
/// | … | for each layer the first position that it holds |
/// | … | for each layer its keys, head by head from that position on, then its values; filled up to a word |
/// | last | a digest of all words before |
struct SessionFile {
    static let magic: UInt64 = 0x4548_4341_4358_4548
    static let version: UInt64 = 1
    private static let fixed = 7

    let layout: CacheLayout
    private let vocabulary: Int
    /// Words 0 to 4.
    private let words: [UInt64]

    init(_ executor: Executor) throws {
        layout = executor.cache.layout
        vocabulary = executor.graph.shape.vocabulary
        let types = CacheType.allCases
        let (keys, values) = (
            types.firstIndex(of: layout.keyType) ?? 0, types.firstIndex(of: layout.valueType) ?? 0
        )
        words = [
            Self.magic, Self.version, try executor.modelDigest(), UInt64(keys) | UInt64(values) << 16,
            UInt64(layout.positions.count),
        ]
    }

    /// What a file holds, after all of it was checked.
    struct Contents {
        var tokens: [Int32]
        /// For each layer its first position.
        var first: [Int]
        /// For each layer where its rows begin.
        var offsets: [Int]
    }

    private func layerBytes(_ rows: Int) -> Int {
        (rows * layout.heads * (layout.keyStride + layout.valueStride) + 7) / 8 * 8
    }

    /// The words before the rows.
    func header(_ tokens: [Int32], first: [Int]) -> [UInt64] {
        let tokenWords = stride(from: 0, to: tokens.count, by: 2).map { index in
            UInt64(UInt32(bitPattern: tokens[index]))
                | (index + 1 < tokens.count ? UInt64(UInt32(bitPattern: tokens[index + 1])) << 32 : 0)
        }
        let start = 8 * (Self.fixed + tokenWords.count + first.count)
        let size = first.reduce(start + 8) { $0 + layerBytes(tokens.count - $1) }
        return words + [UInt64(tokens.count), UInt64(size)] + tokenWords + first.map { UInt64($0) }
    }

    /// Checks a file.
    ///
    /// - Throws: what is wrong with it, as the end of a sentence about the file.
    func check(_ file: UnsafeRawBufferPointer) throws(RuntimeError) -> Contents {
        func word(_ index: Int) -> UInt64 {
            UInt64(littleEndian: file.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        let damaged = RuntimeError("is damaged or cut off")
        guard file.count >= 16, word(0) == Self.magic else {
            throw RuntimeError("is no session of this program")
        }
        guard word(1) == Self.version else {
            throw RuntimeError("has version \(word(1)); this program reads \(Self.version)")
        }
        guard file.count >= 8 * (Self.fixed + 1), file.count % 8 == 0, word(6) == UInt64(file.count) else {
            throw damaged
        }
        let end = file.count / 8 - 1
        var digest = Digest()
        for index in 0..<end { digest.add(word(index)) }
        guard word(end) == digest.value else { throw damaged }
        guard word(2) == words[2], word(4) == words[4] else {
            throw RuntimeError("is of another model, or of a context in which this one computes otherwise")
        }
        guard word(3) == words[3] else {
            throw RuntimeError(
                "holds \(Self.names(word(3))), not \(layout.keyType.rawValue) keys and \(layout.valueType.rawValue) "
                    + "values; -ctk and -ctv say which")
        }
        guard let count = Int(exactly: word(5)), count > 0, count <= end else { throw damaged }
        guard count <= layout.contextLength else {
            throw RuntimeError(
                "holds \(count) tokens, the context \(layout.contextLength); -c makes it larger")
        }
        let tokenWords = (count + 1) / 2, layers = layout.positions.count
        guard Self.fixed + tokenWords + layers <= end else { throw damaged }
        let tokens = (0..<count).map { index in
            Int32(truncatingIfNeeded: word(Self.fixed + index / 2) >> (index % 2 == 0 ? 0 : 32))
        }
        guard tokens.allSatisfy({ 0 <= $0 && $0 < vocabulary }) else { throw damaged }
        var contents = Contents(tokens: tokens, first: [], offsets: [])
        var offset = 8 * (Self.fixed + tokenWords + layers)
        for layer in 0..<layers {
            guard let first = Int(exactly: word(Self.fixed + tokenWords + layer)), first < count,
                first == 0 || layout.windows[layer] > 0,
                first <= max(count + 1 - layout.windows[layer], 0)
            else { throw damaged }
            contents.first.append(first)
            contents.offsets.append(offset)
            offset += layerBytes(count - first)
            guard offset <= 8 * end else { throw damaged }
        }
        guard offset == 8 * end else { throw damaged }
        return contents
    }

    private static func names(_ word: UInt64) -> String {
        func name(_ number: UInt64) -> String {
            let types = CacheType.allCases
            return number < types.count ? types[Int(number)].rawValue : "unknown"
        }
        return "\(name(word & 0xffff)) keys and \(name(word >> 16)) values"
    }
}

extension Executor {
    /// Tells a model from others: what its tensors are called, their sizes and some of their bytes, and how it turns
    /// queries and keys in a context of this length.
    func modelDigest() throws -> UInt64 {
        var digest = Digest()
        digest.add(graph.shape.architecture)
        for size in [
            graph.shape.layers, graph.shape.heads, graph.shape.keyValueHeads, graph.shape.keySize,
            graph.shape.valueSize, graph.shape.vocabulary,
        ] {
            digest.add(UInt64(size))
        }
        for tensor in weights.file.tensors {
            digest.add(tensor.name)
            digest.add("\(tensor.type)")
            digest.add(UInt64(tensor.rowLength))
            digest.add(UInt64(tensor.rowCount))
            digest.add(samplesOf: weights.file.bytes(of: tensor))
        }
        for rotation in graph.shape.rotations {
            var frequencies = rotation.frequencies
            if let long = rotation.long, options.contextLength > long.contextLength {
                frequencies = long.frequencies
            }
            for number in frequencies + [rotation.magnitude] { digest.add(number.bitPattern) }
        }
        return digest.value
    }

    /// Writes the tokens in the cache, their keys and their values to a file, which appears whole or not at all.
    package func saveSession(to path: String) throws {
        let session = try SessionFile(self)
        let layout = cache.layout
        guard position > 0 else { throw RuntimeError("\(path): there are no tokens to save") }
        // What of it DSPs have computed must have reached the memory.
        try restoreCache()
        try shareCaches()
        let first = cache.oldest.map { min($0, position) }
        var file = try SessionWriter(path)
        for word in session.header(cached.map(\.id), first: first) {
            try withUnsafeBytes(of: word.littleEndian) { try file.append($0) }
        }
        try withCaches(of: deviceGraphs[...]) {
            for layer in layout.positions.indices {
                for part in [CachePart.keys, .values] {
                    for head in 0..<layout.heads {
                        try copy(layer, head, first[layer]..<position, part) {
                            try file.append(UnsafeRawBufferPointer($0))
                        }
                    }
                }
                file.fillWord()
            }
        }
        try file.commit()
    }

    /// Takes the tokens of a file, their keys and their values in place of what is in the cache.
    ///
    /// - Throws: what is wrong with the file; then the cache is as it was.
    package func loadSession(from path: String) throws {
        let file = try MappedFile(path: path)
        let session = try SessionFile(self)
        let contents: SessionFile.Contents
        do {
            contents = try session.check(file.bytes)
        } catch {
            throw RuntimeError("\(path) \(error)")
        }
        let layout = cache.layout, count = contents.tokens.count
        rewind(to: 0)
        // What DSPs wrote before must not come later.
        try shareCaches()
        try withCaches(of: deviceGraphs[...]) {
            for layer in layout.positions.indices {
                // A smaller batch may leave fewer positions to a layer with a window.
                let saved = contents.first[layer]
                let first = max(saved, count - layout.positions[layer])
                var offset = contents.offsets[layer]
                for part in [CachePart.keys, .values] {
                    let stride = part == .keys ? layout.keyStride : layout.valueStride
                    for head in 0..<layout.heads {
                        var next = offset + (first - saved) * stride
                        copy(layer, head, first..<count, part) { rows in
                            rows.copyMemory(
                                from: UnsafeRawBufferPointer(rebasing: file.bytes[next..<next + rows.count]))
                            next += rows.count
                        }
                        offset += (count - saved) * stride
                    }
                }
                cache.restart(layer, at: first)
            }
        }
        try shareCaches()
        cached = contents.tokens.map { CachedToken(id: $0, isOnDevices: false) }
    }

    private enum CachePart { case keys, values }

    /// Calls `body` with the rows of a head's positions, in one or two pieces.
    private func copy(
        _ layer: Int, _ head: Int, _ positions: Range<Int>, _ part: CachePart,
        _ body: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        let capacity = cache.layout.positions[layer]
        let (rows, stride) =
            part == .keys
            ? (cache.keys(layer: layer, head: head), cache.layout.keyStride)
            : (cache.values(layer: layer, head: head), cache.layout.valueStride)
        var next = positions.lowerBound
        while next < positions.upperBound {
            let place = next % capacity
            let count = min(positions.upperBound - next, capacity - place)
            try body(UnsafeMutableRawBufferPointer(start: rows + place * stride, count: count * stride))
            next += count
        }
    }

    /// Has the DSPs write back and forget what they hold of the cache, unless every batch does.
    private func shareCaches() throws {
        while !hasLostDevices {
            do {
                for (index, device) in deviceGraphs.enumerated() {
                    do {
                        try device.shareCache()
                    } catch let interruption as Interruption {
                        throw interruption
                    } catch {
                        throw DeviceFailure(device: index, error: error)
                    }
                }
                return
            } catch let failure as DeviceFailure {
                try recover(from: failure)
                try restoreCache()
            }
        }
    }
}

/// Writes a file with a digest of its words at its end.
private struct SessionWriter: ~Copyable {
    private let file: ReplacementFile
    private var digest = Digest()
    private var buffer: [UInt8] = []

    init(_ path: String) throws { file = try ReplacementFile(for: path) }

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        for start in stride(from: 0, to: bytes.count, by: 1 << 20) {
            buffer.append(contentsOf: bytes[start..<min(start + (1 << 20), bytes.count)])
            if buffer.count >= 1 << 20 { try flush() }
        }
    }

    /// Fills the last word up with zeros.
    mutating func fillWord() {
        buffer += [UInt8](repeating: 0, count: (8 - buffer.count % 8) % 8)
    }

    /// Writes whole words.
    private mutating func flush() throws {
        let whole = buffer.count / 8 * 8
        try buffer.withUnsafeBytes { bytes in
            for offset in stride(from: 0, to: whole, by: 8) {
                digest.add(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            }
            try file.append(UnsafeRawBufferPointer(rebasing: bytes[..<whole]))
        }
        buffer.removeFirst(whole)
    }

    consuming func commit() throws {
        try flush()
        try withUnsafeBytes(of: digest.value.littleEndian) { try file.append($0) }
        try file.commit()
    }
}
