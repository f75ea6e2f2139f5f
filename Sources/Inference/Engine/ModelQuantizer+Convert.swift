import GGUF
import Quantization
import Runtime

extension ModelQuantizer {
    /// Weights that are worked on before they are written: 32 MB in half precision.
    private static let weightsAtOnce = 1 << 24
    /// Weights that a thread takes at once.
    private static let weightsOfThread = 1 << 15

    /// Writes a tensor in another type, some rows at a time.
    func convert(
        _ tensor: TensorInfo, of file: GGUFFile, to target: TensorType,
        _ append: (UnsafeRawBufferPointer) throws -> Void, progress: (Double) -> Void
    ) throws {
        progress(0)
        defer { file.advise(.doneWith, tensor) }
        if target == tensor.type {
            try copy(tensor, of: file, append, progress)
        } else {
            try Conversion(tensor, file, target, isExact: !options.allowsRequantizing).run(
                rowsAtOnce: max(1, Self.weightsAtOnce / tensor.rowLength), self, append, progress)
        }
        progress(1)
    }

    private func copy(
        _ tensor: TensorInfo, of file: GGUFFile, _ append: (UnsafeRawBufferPointer) throws -> Void,
        _ progress: (Double) -> Void
    ) throws {
        let bytes = file.bytes(of: tensor)
        for start in stride(from: 0, to: bytes.count, by: 1 << 25) {
            try checkInterruption()
            let end = min(start + 1 << 25, bytes.count)
            try append(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            progress(Double(end) / Double(bytes.count))
        }
    }

    func checkInterruption() throws {
        if options.isInterrupted() { throw EngineError(.interrupted, "interrupted") }
    }

    /// Calls `body` with ranges of rows, on all threads; throws what the first of them throws.
    func onThreads(
        _ rows: Range<Int>, rowLength: Int, _ body: (Range<Int>) throws -> Void
    ) throws {
        let step = max(1, Self.weightsOfThread / rowLength)
        let failures = FirstError()
        pool.run(chunks: (rows.count + step - 1) / step) { chunk in
            let first = rows.lowerBound + chunk * step
            failures.catching { try body(first..<min(first + step, rows.upperBound)) }
        }
        try failures.rethrow()
    }
}

/// A tensor on its way from one type to another.
private struct Conversion {
    let tensor: TensorInfo
    let file: GGUFFile
    let target: TensorType
    let source: UnsafeRawBufferPointer
    let scale: Float
    let rowBytes: Int
    /// Whether the weights must stay what they are: between ternary types, unless loss is allowed.
    let isExact: Bool

    init(_ tensor: TensorInfo, _ file: GGUFFile, _ target: TensorType, isExact: Bool) throws {
        guard let rowBytes = target.layout?.rowByteCount(tensor.rowLength) else {
            throw EngineError(.failed, "rows of \(tensor.rowLength) cannot be written as \(target)")
        }
        (self.tensor, self.file, self.target, self.rowBytes) = (tensor, file, target, rowBytes)
        source = file.bytes(of: tensor)
        scale = tensor.type.tensorScale(source)
        self.isExact = isExact && tensor.type.isTernary && target.isTernary
    }

    func run(
        rowsAtOnce: Int, _ quantizer: ModelQuantizer, _ append: (UnsafeRawBufferPointer) throws -> Void,
        _ progress: (Double) -> Void
    ) throws {
        // Only the whole tensor tells the scale behind it.
        let trailer = target.tensorTrailer(largest: try target == .i2_S ? largest(quantizer) : 0)
        let trailerScale = trailer.withUnsafeBytes { target.tensorScale($0) }
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(rowsAtOnce, tensor.rowCount) * rowBytes, alignment: 64)
        defer { room.deallocate() }
        for first in stride(from: 0, to: tensor.rowCount, by: rowsAtOnce) {
            try quantizer.checkInterruption()
            let rows = first..<min(first + rowsAtOnce, tensor.rowCount)
            try quantizer.onThreads(rows, rowLength: tensor.rowLength) { chunk in
                try convert(chunk, into: room, from: first, trailerScale)
            }
            try append(UnsafeRawBufferPointer(rebasing: room[..<(rows.count * rowBytes)]))
            file.advise(.doneWith, bytes(of: rows))
            progress(Double(rows.upperBound) / Double(tensor.rowCount))
        }
        try trailer.withUnsafeBytes(append)
    }

    private func bytes(of rows: Range<Int>) -> UnsafeRawBufferPointer {
        let bytes = tensor.rowByteCount
        return UnsafeRawBufferPointer(rebasing: source[rows.lowerBound * bytes..<rows.upperBound * bytes])
    }

    private func convert(
        _ rows: Range<Int>, into room: UnsafeMutableRawBufferPointer, from first: Int, _ trailerScale: Float
    ) throws {
        try eachRow(rows) { row, values in
            let place = (row - first) * rowBytes
            let output = UnsafeMutableRawBufferPointer(rebasing: room[place..<place + rowBytes])
            try target.quantizeRow(UnsafeBufferPointer(values), into: output)
            if isExact {
                try checkExact(row, UnsafeBufferPointer(values), UnsafeRawBufferPointer(output), trailerScale)
            }
        }
    }

    /// Gives each row's weights to `body`.
    private func eachRow(
        _ rows: Range<Int>, _ body: (Int, UnsafeMutableBufferPointer<Float>) throws -> Void
    ) throws {
        let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: tensor.rowLength)
        values.initialize(repeating: 0)
        defer { values.deallocate() }
        for row in rows {
            try tensor.type.dequantizeRow(bytes(of: row..<row + 1), scale: scale, into: values)
            let range = WeightRange(UnsafeBufferPointer(values))
            guard range.isFinite else { throw problem(row, "holds an infinity or a NaN") }
            guard range.largest <= target.largestWeight else {
                throw problem(row, "holds a weight of magnitude \(range.largest), too large for \(target)")
            }
            try body(row, values)
        }
    }

    private func checkExact(
        _ row: Int, _ values: UnsafeBufferPointer<Float>, _ bytes: UnsafeRawBufferPointer, _ scale: Float
    ) throws {
        let written = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
        written.initialize(repeating: 0)
        defer { written.deallocate() }
        try target.dequantizeRow(bytes, scale: scale, into: written)
        guard values.elementsEqual(written) else {
            throw problem(
                row,
                "cannot be carried to \(target) exactly; --allow-requantize takes the nearest weights")
        }
    }

    private func largest(_ quantizer: ModelQuantizer) throws -> Float {
        let largest = Maximum()
        try quantizer.onThreads(0..<tensor.rowCount, rowLength: tensor.rowLength) { rows in
            try eachRow(rows) { largest.include(WeightRange(UnsafeBufferPointer($1)).largest) }
        }
        return largest.value
    }

    private func problem(_ row: Int, _ what: String) -> EngineError {
        EngineError(.badInput, "\(file.path): row \(row) of tensor \(quoted(tensor.name)) \(what)")
    }
}

extension TensorType {
    /// The largest magnitude that can be written: most types have a scale in half precision.
    fileprivate var largestWeight: Float {
        [.f32, .bf16, .mxfp4, .i2_S, .iq2_BN].contains(self) ? .greatestFiniteMagnitude : 65504
    }
}
