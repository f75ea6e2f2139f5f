import GGUF
import Glibc

/// A file of a model's predictions for a text, for comparing another model with it.
///
/// llama.cpp's format: the text's tokens, and for each token of the second half of each chunk but the last the
/// logarithms of the next token's probabilities in 16 bits. All numbers are little-endian.
///
/// | bytes | |
/// |---|---|
/// | 8 | `_logits_` |
/// | 4 × 3 | tokens of a chunk, size of the vocabulary, chunks |
/// | 4 for each token | the chunks' tokens |
/// | rows | for each predicted token 4 bytes scale, 4 bytes lowest logarithm (floats), 2 bytes for each token of the vocabulary, rounded up to 4 |
public final class LogProbabilityFile {
    /// Tokens of a chunk.
    public let contextLength: Int
    /// Tokens of the vocabulary.
    public let vocabulary: Int
    /// Chunks of the text.
    public let chunks: Int
    /// The chunks' tokens.
    public let tokens: [Int32]
    private let file: MappedFile
    private let start: Int

    private static let magic = Array("_logits_".utf8)
    private static let headerSize = 20

    /// Opens a file.
    public init(path: String) throws {
        file = try MappedFile(path: path)
        let bytes = file.bytes
        func fail(_ problem: String) -> EngineError { EngineError(.badInput, "\(path): \(problem)") }
        guard bytes.count >= Self.headerSize, bytes.starts(with: Self.magic) else {
            throw fail(
                "is no file of log-probabilities; --kl-divergence-base without --kl-divergence writes one")
        }
        func number(_ offset: Int) -> Int {
            Int(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        }
        (contextLength, vocabulary, chunks) = (number(8), number(12), number(16))
        guard contextLength >= 4, vocabulary >= 1, chunks >= 1 else {
            throw fail(
                "damaged: \(chunks) chunks of \(contextLength) tokens of a vocabulary of \(vocabulary)")
        }
        let (tokenCount, tooLong) = contextLength.multipliedReportingOverflow(by: chunks)
        let (rows, tooMany) = PerplexityText.predictions(contextLength)
            .multipliedReportingOverflow(by: chunks)
        let (rowBytes, tooLarge) = rows.multipliedReportingOverflow(by: Self.rowSize(vocabulary))
        guard !tooLong, !tooMany, !tooLarge, tokenCount < 1 << 40, rowBytes < 1 << 60,
            bytes.count >= Self.headerSize + 4 * tokenCount + rowBytes
        else {
            throw fail(
                "incomplete: \(bytes.count) bytes are too few for \(chunks) chunks of \(contextLength) tokens of a "
                    + "vocabulary of \(vocabulary)")
        }
        start = Self.headerSize + 4 * tokenCount
        tokens = (0..<tokenCount).map {
            Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: Self.headerSize + 4 * $0, as: Int32.self))
        }
        let size = vocabulary
        if let bad = tokens.first(where: { $0 < 0 || $0 >= size }) {
            throw fail("damaged: token \(bad) of a vocabulary of \(vocabulary)")
        }
    }

    /// Fails where no file can be written at a path: better before the work than after it.
    public static func checkPath(_ path: String) throws {
        try ReplacementFile.check(path, for: "log-probabilities")
    }

    /// Bytes of a row.
    static func rowSize(_ vocabulary: Int) -> Int { 8 + (vocabulary + 1) / 2 * 4 }

    /// A row's numbers: `scale × code + lowest` is the logarithm of a probability.
    struct Row {
        let scale: Float
        let lowest: Float
        let codes: UnsafeRawBufferPointer

        @inline(__always)
        func logProbability(_ token: Int) -> Float {
            let code = codes.loadUnaligned(fromByteOffset: 2 * token, as: UInt16.self)
            return scale * Float(UInt16(littleEndian: code)) + lowest
        }
    }

    /// The row of a chunk's predicted token.
    func row(_ index: Int, ofChunk chunk: Int) throws -> Row {
        let size = Self.rowSize(vocabulary)
        let offset = start + (PerplexityText.predictions(contextLength) * chunk + index) * size
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + size])
        func float(_ offset: Int) -> Float {
            Float(
                bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            )
        }
        let row = Row(
            scale: float(0), lowest: float(4), codes: UnsafeRawBufferPointer(rebasing: bytes[8...]))
        guard row.scale.isFinite, row.scale >= 0, row.lowest.isFinite else {
            throw EngineError(
                .badInput, "\(file.path): damaged: row \(index) of chunk \(chunk + 1) holds no numbers")
        }
        return row
    }
}

/// Writes a ``LogProbabilityFile``, which appears whole or not at all.
struct LogProbabilityWriter: ~Copyable {
    private let file: ReplacementFile
    private var row: [UInt8]
    private let vocabulary: Int

    init(path: String, tokens: ArraySlice<Int32>, contextLength: Int, vocabulary: Int) throws {
        let file = try ReplacementFile(for: path)
        let row = [UInt8](repeating: 0, count: LogProbabilityFile.rowSize(vocabulary))
        let chunks = tokens.count / contextLength
        let rows = PerplexityText.predictions(contextLength) * chunks
        try file.reserve(20 + 4 * tokens.count + rows * row.count)
        var header = Array("_logits_".utf8)
        for number in [contextLength, vocabulary, chunks] {
            withUnsafeBytes(of: Int32(number).littleEndian) { header.append(contentsOf: $0) }
        }
        for token in tokens { withUnsafeBytes(of: token.littleEndian) { header.append(contentsOf: $0) } }
        try file.append(header)
        self.file = file
        self.row = row
        self.vocabulary = vocabulary
    }

    /// Appends a row. Probabilities below `exp(-16)` of the highest are written as that.
    mutating func append(_ logits: LogitRow) throws {
        let lowest = max(logits.logits.min() ?? 0, logits.maximum - 16)
        let scale = (logits.maximum - lowest) / 65535
        let inverse = scale > 0 ? 1 / scale : 0
        let vocabulary = vocabulary
        row.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: scale.bitPattern.littleEndian, as: UInt32.self)
            let logarithm = lowest - logits.maximum - Float(logits.logSum)
            bytes.storeBytes(of: logarithm.bitPattern.littleEndian, toByteOffset: 4, as: UInt32.self)
            for index in 0..<vocabulary {
                let code = (inverse * max(logits.logits[index] - lowest, 0)).rounded(.toNearestOrEven)
                bytes.storeBytes(
                    of: UInt16(min(code, 65535)).littleEndian, toByteOffset: 8 + 2 * index, as: UInt16.self)
            }
        }
        try file.append(row)
    }

    consuming func commit() throws { try file.commit() }
}
