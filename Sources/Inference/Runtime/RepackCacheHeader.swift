import GGUF
import HTPDevice

/// The beginning of a file of repacked matrices: words of 64 bits, little-endian.
///
/// | word | |
/// |---|---|
/// | 0 | `HTPTILES` |
/// | 1 | version of this header |
/// | 2 | digest of the matrices' names, formats and sizes, and of what repacking makes of example weights |
/// | 3, 4 | the model's size and when it was last changed, in nanoseconds |
/// | 5 | digest of samples of the matrices |
/// | 6 | pieces of tiles |
/// | 7 | where the tiles begin: after the header, at a multiple of 4096 |
/// | 8 | size of the file |
/// | 9… | a checksum for each piece |
/// | last | a digest of all words before |
struct RepackCacheHeader {
    static let magic: UInt64 = 0x5345_4c49_5450_5448
    static let version: UInt64 = 1

    /// Word 2.
    let contents: UInt64
    /// Words 0…8.
    private let words: [UInt64]
    private let pieces: Int
    let dataOffset: Int
    let fileBytes: Int

    init(
        model: GGUFFile, matrices: [WeightMatrix], pieces: Int, tileBytes: Int
    ) throws(HTPError) {
        var contents = Digest(), samples = Digest()
        for matrix in matrices {
            contents.add(matrix.name)
            contents.add("\(matrix.format)")
            contents.add(UInt64(matrix.rows))
            contents.add(UInt64(matrix.columns))
            samples.add(samplesOf: matrix.bytes)
        }
        for format in WeightMatrix.Format.allCases where matrices.contains(where: { $0.format == format }) {
            try contents.add(examplesOf: format)
        }
        self.contents = contents.value
        self.pieces = pieces
        dataOffset = ((Self.fixed + pieces + 1) * 8 + 4095) / 4096 * 4096
        fileBytes = dataOffset + tileBytes
        words = [
            Self.magic, Self.version, contents.value, UInt64(model.byteCount),
            UInt64(bitPattern: Int64(model.modificationTime)), samples.value, UInt64(pieces),
            UInt64(dataOffset),
            UInt64(fileBytes),
        ]
    }

    /// Words before the checksums.
    private static let fixed = 9

    /// What a file begins with, up to its tiles.
    func bytes(_ checksums: [UInt64]) -> [UInt8] {
        var all = words + checksums
        all.append(Self.digest(all))
        var bytes = all.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
        bytes += [UInt8](repeating: 0, count: dataOffset - bytes.count)
        return bytes
    }

    /// Checks that a file is what this header says.
    ///
    /// - Returns: the pieces' checksums.
    /// - Throws: what is wrong with it, as the end of a sentence about the file.
    func checksums(in file: UnsafeRawBufferPointer) throws(RuntimeError) -> [UInt64] {
        func word(_ index: Int) -> UInt64 {
            UInt64(littleEndian: file.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        guard file.count >= 8 * Self.fixed, word(0) == Self.magic else {
            throw RuntimeError("is no file of repacked weights")
        }
        guard word(1) == Self.version else {
            throw RuntimeError("has version \(word(1)); this program reads \(Self.version)")
        }
        guard word(8) == UInt64(file.count) else {
            throw RuntimeError("has \(file.count) bytes instead of \(word(8))")
        }
        let count = file.count / 8, found = word(6)
        guard found < count, Self.fixed + Int(found) + 1 <= count else {
            throw RuntimeError("has a damaged header")
        }
        let all = (0..<Self.fixed + Int(found)).map(word)
        guard word(all.count) == Self.digest(all) else { throw RuntimeError("has a damaged header") }
        guard all[2] == words[2], all[6...8] == words[6...8], file.count == fileBytes else {
            throw RuntimeError("is for other matrices or for another layout of tiles")
        }
        guard all[3...5] == words[3...5] else {
            throw RuntimeError("was made of another version of the model")
        }
        return Array(all[Self.fixed...])
    }

    private static func digest(_ words: [UInt64]) -> UInt64 {
        var digest = Digest()
        for word in words { digest.add(word) }
        return digest.value
    }
}

extension Digest {
    /// Eight pieces of 64 bytes, the first and the last among them.
    mutating func add(samplesOf bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 512 else { return add(bytes) }
        for index in 0..<8 {
            let first = (bytes.count - 64) / 7 * index
            add(UnsafeRawBufferPointer(rebasing: bytes[first..<first + 64]))
        }
        add(UnsafeRawBufferPointer(rebasing: bytes.suffix(64)))
    }

    /// The tiles of weights of all kinds: another layout, or another way of rounding, gives others.
    fileprivate mutating func add(examplesOf format: WeightMatrix.Format) throws(HTPError) {
        let (rows, columns) = (64, 512)
        var state: UInt64 = 1
        var weights: [UInt64] = []
        for _ in 0...(rows * format.rowBytes(columns: columns) + format.trailerBytes) / 8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // Any bits are codes; numbers of half and single precision stay finite without their top bits.
            weights.append(((state ^ state &>> 29) & 0x3fff_3fff_3fff_3fff).littleEndian)
        }
        var tiles = [UInt64](
            repeating: 0, count: format.kind.byteCount(rows: rows, columns: columns) / 8)
        func repack(
            _ weights: UnsafeRawBufferPointer, _ tiles: UnsafeMutableRawBufferPointer
        ) throws(HTPError) {
            guard let base = tiles.baseAddress else { return }
            let matrix = try WeightMatrix(
                name: "example", format: format, rows: rows, columns: columns, bytes: weights)
            try matrix.writeAnyRowTile(0, to: base)
        }
        do {
            try weights.withUnsafeBytes { weights in
                try tiles.withUnsafeMutableBytes { try repack(weights, $0) }
            }
        } catch let error as HTPError {
            throw error
        } catch {
            throw HTPError("\(error)")
        }
        tiles.withUnsafeBytes { add($0) }
    }
}
