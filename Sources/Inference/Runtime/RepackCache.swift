import CPUKernels
import GGUF
import Glibc
import HTPDevice
import Synchronization

/// A file with the tiles of one device's matrices of a model.
///
/// It belongs to a model by its path, to the matrices by their names, formats and sizes, and to the layout of tiles by
/// what repacking makes of example weights; all of that is in its name. Its header says of which version of the model
/// it was made (``RepackCacheHeader``), and all of it has checksums, which are compared while it is copied.
///
/// A file that does not fit is said so, and made again. So is one that cannot be written: then there is no cache.
final class RepackCache: TileStore {
    let path: String
    /// Whether the tiles came from the file.
    private(set) var wasRead = false

    private let folder: String
    private let header: RepackCacheHeader
    private let pieces: [Piece]
    private let onNotice: (@Sendable (String) -> Void)?
    private let copy: Copy

    /// The C function `copy` of `cpu_repack_kernels`.
    private typealias Copy = @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> UInt64

    /// What a thread copies at once, under a checksum of its own.
    private struct Piece {
        var matrix: Int
        /// Of the matrix's tiles.
        var bytes: Range<Int>
        /// In the file.
        var offset: Int
    }

    private static let pieceBytes = 1 << 20

    /// Describes the file of some of a model's matrices in a folder; nil where there is nothing to keep.
    init?(
        folder: String, model: GGUFFile, matrices: [WeightMatrix], onNotice: (@Sendable (String) -> Void)?
    ) throws(HTPError) {
        guard !matrices.isEmpty, let kernels = cpu_repack_kernels_get(cpu_kernels_best()) else { return nil }
        copy = kernels.pointee.copy
        (self.folder, self.onNotice) = (folder, onNotice)
        var pieces: [Piece] = []
        var offset = 0
        for (index, matrix) in matrices.enumerated() {
            let byteCount = matrix.tiledByteCount
            for first in stride(from: 0, to: byteCount, by: Self.pieceBytes) {
                pieces.append(
                    Piece(
                        matrix: index, bytes: first..<min(first + Self.pieceBytes, byteCount),
                        offset: offset + first))
            }
            offset += byteCount
        }
        let header = try RepackCacheHeader(
            model: model, matrices: matrices, pieces: pieces.count, tileBytes: offset)
        self.header = header
        self.pieces = pieces.map { piece in
            Piece(matrix: piece.matrix, bytes: piece.bytes, offset: piece.offset + header.dataOffset)
        }
        path = folder + "/" + Self.name(of: model.path, header)
    }

    /// The model's name, so that somebody who clears the folder knows what is there, and what the file is for.
    private static func name(of modelPath: String, _ header: RepackCacheHeader) -> String {
        var key = Digest()
        if let resolved = realpath(modelPath, nil) {
            key.add(String(cString: resolved))
            free(resolved)
        } else {
            key.add(modelPath)
        }
        key.add(header.contents)
        key.add(RepackCacheHeader.version)
        let digits = String(key.value, radix: 16)
        var name = modelPath.split(separator: "/").last.map(String.init) ?? ""
        if name.hasSuffix(".gguf") { name.removeLast(5) }
        // A file's name has at most 255 bytes.
        name = String(decoding: name.utf8.prefix(100), as: UTF8.self)
        return name + "-" + String(repeating: "0", count: 16 - digits.count) + digits + ".tiles"
    }

    // MARK: Reading

    func read(
        into places: [UnsafeMutableRawBufferPointer], parallel: (Int, (Int) -> Void) -> Void
    ) -> TileStoreReading {
        guard access(path, F_OK) == 0 else { return .none }
        let file: MappedFile
        do throws(GGUFError) { file = try MappedFile(path: path) } catch {
            tell("\(path): \(error.problem)")
            return .none
        }
        let checksums: [UInt64]
        do throws(RuntimeError) { checksums = try header.checksums(in: file.bytes) } catch {
            tell("\(path) \(error)")
            return .none
        }
        let isDamaged = Atomic(false)
        parallel(pieces.count) { index in
            let piece = pieces[index]
            let target = UnsafeMutableRawBufferPointer(rebasing: places[piece.matrix][piece.bytes])
            let source = file.bytes[piece.offset..<piece.offset + piece.bytes.count]
            let sum = copy(
                target.baseAddress, UnsafeRawBufferPointer(rebasing: source).baseAddress, target.count)
            file.advise(.doneWith, piece.offset..<piece.offset + piece.bytes.count)
            if sum != checksums[index] { isDamaged.store(true, ordering: .relaxed) }
        }
        guard !isDamaged.load(ordering: .relaxed) else {
            tell("\(path) has damaged tiles")
            return .damaged
        }
        wasRead = true
        return .complete
    }

    private func tell(_ problem: String) {
        onNotice?("repack cache: \(problem); the weights are repacked")
    }

    // MARK: Writing

    func keep(_ places: [UnsafeRawBufferPointer], parallel: (Int, (Int) -> Void) -> Void) {
        var checksums = [UInt64](repeating: 0, count: pieces.count)
        checksums.withUnsafeMutableBufferPointer { checksums in
            guard let sums = checksums.baseAddress else { return }
            // Each index is written once.
            nonisolated(unsafe) let results = sums
            parallel(pieces.count) { index in
                let piece = pieces[index]
                let tiles = UnsafeRawBufferPointer(rebasing: places[piece.matrix][piece.bytes])
                results[index] = copy(nil, tiles.baseAddress, tiles.count)
            }
        }
        // One that exists is as good; what else is wrong with it shows now.
        guard mkdir(folder, 0o777) == 0 || errno == EEXIST else {
            let reason = String(cString: strerror(errno))
            onNotice?(
                "repack cache: \(folder): cannot make the folder: \(reason); the repacked weights are not kept"
            )
            return
        }
        Self.removeRemains(of: path)
        do throws(GGUFError) {
            let file = try ReplacementFile(for: path)
            try file.reserve(header.fileBytes)
            try file.append(header.bytes(checksums))
            for place in places { try file.append(place) }
            // The checksums notice what a crash of the system leaves.
            try file.commit(isFlushed: false)
        } catch {
            onNotice?("repack cache: \(error); the repacked weights are not kept")
        }
    }

    /// Removes what runs that were killed left an hour ago or earlier: nobody writes so long.
    private static func removeRemains(of path: String) {
        guard let slash = path.lastIndex(of: "/"), let folder = opendir(String(path[..<slash])) else {
            return
        }
        defer { closedir(folder) }
        let prefix = String(path[path.index(after: slash)...]) + "."
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(prefix), name.hasSuffix(".part") else { continue }
            let remains = path[...slash] + name
            var status = stat()
            guard stat(String(remains), &status) == 0, status.st_mtim.tv_sec < time(nil) - 3600 else {
                continue
            }
            unlink(String(remains))
        }
    }
}
