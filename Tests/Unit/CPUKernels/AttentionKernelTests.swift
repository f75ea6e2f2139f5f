import CPUKernels
import Foundation
import TestSupport
import Testing

/// Attention on the CPU against the formula in double precision.
@Suite struct AttentionKernelTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var keyType: Int32 = 0
        var valueType: Int32 = 0
        var tokens = 1
        var heads = 1
        var keySize = 64
        var valueSize = 64
        var position = 0
        var window = 0
        var cap: Float = 0
        var hasSink = false
        /// Positions that the cache holds; 0 for all.
        var ring = 0
        var testDescription: String {
            "types \(keyType) \(valueType), \(tokens) × \(heads) at \(position), sizes \(keySize) \(valueSize), "
                + "window \(window), cap \(cap), \(hasSink ? "sinks, " : "")ring \(ring)"
        }
    }

    static let shapes: [Shape] = {
        var shapes: [Shape] = []
        for key in Int32(0)..<4 {
            for value in Int32(0)..<4 {
                shapes.append(Shape(keyType: key, valueType: value, heads: 3, position: 700))
                shapes.append(
                    Shape(
                        keyType: key, valueType: value, tokens: 9, heads: 2, keySize: 96, valueSize: 32,
                        position: 505, window: 40, cap: 4, hasSink: true, ring: 49))
            }
            for position in [0, 1, 62, 63, 64, 511, 512, 1100] {
                for tokens in [1, 5, 17] {
                    shapes.append(
                        Shape(
                            keyType: key, valueType: key, tokens: tokens, heads: 5, keySize: 32,
                            valueSize: 128, position: position, window: tokens == 5 ? 70 : 0,
                            cap: tokens == 1 ? 2 : 0, hasSink: tokens == 17,
                            ring: tokens == 5 ? 75 : 0))
                }
            }
        }
        // Heads that are no multiple of a vector, and windows of one position.
        for (keySize, valueSize) in [(7, 3), (80, 80), (100, 17), (1, 1)] {
            for type in Int32(0)..<2 {
                for tokens in [1, 6] {
                    shapes.append(
                        Shape(
                            keyType: type, valueType: 1 - type, tokens: tokens, heads: 4, keySize: keySize,
                            valueSize: valueSize, position: 90, window: tokens == 6 ? 1 : 0,
                            hasSink: tokens == 6))
                }
            }
        }
        return shapes
    }()

    static func rowBytes(_ type: Int32, _ size: Int) -> Int {
        switch type {
        case 0: 4 * size
        case 1: 2 * size
        case 2: size + size / 16
        default: size / 2 + size / 16
        }
    }

    static func kernels(_ level: KernelLevel) -> cpu_attention_kernels {
        cpu_attention_kernels_get(level.number).pointee
    }

    @Test(arguments: kernelLevels, shapes) func isTheFormula(_ level: KernelLevel, _ shape: Shape) {
        let kernels = Self.kernels(level)
        var random = KernelRandom(seed: UInt64(shape.position + 31 * shape.tokens + 7 * shape.keySize))
        func normals(_ count: Int) -> [Float] { (0..<count).map { _ in random.normal() } }
        let end = shape.position + shape.tokens
        let capacity = shape.ring > 0 ? shape.ring : end
        let keyBytes = Self.rowBytes(shape.keyType, shape.keySize)
        let valueBytes = Self.rowBytes(shape.valueType, shape.valueSize)
        // What is never stored holds no numbers.
        var keys = [UInt8](repeating: 0xff, count: capacity * keyBytes)
        var values = [UInt8](repeating: 0xff, count: capacity * valueBytes)
        var exactKeys: [[Float]] = [], exactValues: [[Float]] = []
        func store(_ size: Int, _ type: Int32, _ bytes: Int, _ position: Int, _ cache: inout [UInt8])
            -> [Float]
        {
            let x = normals(size)
            var read = [Float](repeating: 0, count: size)
            cache.withUnsafeMutableBytes { cache in
                let row = cache.baseAddress! + position % capacity * bytes
                kernels.encode(row, x, size, type)
                kernels.decode(&read, row, size, type)
            }
            return read
        }
        for position in 0..<end {
            exactKeys.append(store(shape.keySize, shape.keyType, keyBytes, position, &keys))
            exactValues.append(store(shape.valueSize, shape.valueType, valueBytes, position, &values))
        }
        let rows = shape.tokens * shape.heads
        let queries = normals(rows * shape.keySize), sinks = normals(shape.heads)
        let scale = 1 / Float(shape.keySize).squareRoot()

        let first = shape.window > 0 ? max(shape.position + 1 - shape.window, 0) : 0
        let record = CPU_ATTENTION_HEAD + shape.valueSize
        var total = [Float](repeating: 0, count: rows * record), part = total
        var workspace = [UInt8](
            repeating: 0xff, count: cpu_attention_workspace(rows, shape.keySize, shape.valueSize))
        var isFirst = true
        var begin = first
        while begin < end {
            let next = min((begin / CPU_ATTENTION_PART + 1) * CPU_ATTENTION_PART, end)
            keys.withUnsafeBytes { keys in
                values.withUnsafeBytes { values in
                    queries.withUnsafeBufferPointer { queries in
                        workspace.withUnsafeMutableBytes { workspace in
                            var a = cpu_attention()
                            a.queries = queries.baseAddress
                            (a.query_stride, a.tokens, a.heads) = (
                                shape.heads * shape.keySize, shape.tokens, shape.heads
                            )
                            (a.keys, a.values) = (keys.baseAddress, values.baseAddress)
                            (a.key_stride, a.value_stride) = (keyBytes, valueBytes)
                            (a.key_type, a.value_type) = (shape.keyType, shape.valueType)
                            (a.key_size, a.value_size) = (shape.keySize, shape.valueSize)
                            (a.capacity, a.position, a.window) = (capacity, shape.position, shape.window)
                            (a.scale, a.cap, a.begin, a.end) = (scale, shape.cap, begin, next)
                            a.workspace = workspace.baseAddress
                            kernels.attend(&a, &part)
                        }
                    }
                }
            }
            if isFirst { total = part } else { kernels.merge(&total, part, rows, shape.valueSize) }
            isFirst = false
            begin = next
        }
        var found: [Float] = [], expected: [Double] = []
        for row in 0..<rows {
            let (token, head) = (row / shape.heads, row % shape.heads)
            var result = [Float](repeating: 0, count: shape.valueSize)
            let own = Array(total[row * record..<(row + 1) * record])
            if shape.hasSink {
                kernels.finish(&result, own, shape.valueSize, [sinks[head]])
            } else {
                kernels.finish(&result, own, shape.valueSize, nil)
            }
            found += result

            let last = shape.position + token + 1
            let visible = (shape.window > 0 ? max(last - shape.window, 0) : 0)..<last
            let query = queries[row * shape.keySize..<(row + 1) * shape.keySize]
            var scores = visible.map { position in
                let product = zip(query, exactKeys[position]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                let score = product * Double(scale)
                return shape.cap > 0 ? Double(shape.cap) * tanh(score / Double(shape.cap)) : score
            }
            if shape.hasSink { scores.append(Double(sinks[head])) }
            let largest = scores.max() ?? 0
            let weights = scores.map { exp($0 - largest) }
            let sum = weights.reduce(0, +)
            expected += (0..<shape.valueSize).map { index in
                zip(weights, visible).reduce(0.0) { $0 + $1.0 * Double(exactValues[$1.1][index]) } / sum
            }
        }
        let error = normalizedError(found, expected: expected)
        #expect(error < 1e-11, "\(error)")
    }

    /// What the formats lose, and that every level writes the same bits.
    @Test(arguments: kernelLevels, Int32(0)..<4) func rowsAreTheFormats(_ level: KernelLevel, _ type: Int32) {
        let kernels = Self.kernels(level), portable = cpu_attention_kernels_get(0).pointee
        var random = KernelRandom(seed: 3)
        for size in [32, 64, 96, 256] + (type < 2 ? [1, 7, 20, 33] : []) {
            for kind in 0..<4 {
                var x = (0..<size).map { _ in random.normal() }
                if kind == 1 { x = x.map { $0 * 1e-6 } }
                if kind == 2 { x[size / 2] = -3000 }
                if kind == 3 { x = x.map { _ in 0 } }
                var row = [UInt8](repeating: 0, count: Self.rowBytes(type, size)), other = row
                kernels.encode(&row, x, size, type)
                portable.encode(&other, x, size, type)
                #expect(row == other)
                var found = [Float](repeating: 0, count: size)
                kernels.decode(&found, row, size, type)
                for index in 0..<size {
                    let block =
                        type < 2 ? x[index...index] : x[index / 32 * 32..<min(index / 32 * 32 + 32, size)]
                    let largest = block.map(abs).max() ?? 0
                    // Half a step and the rounding of the step; sixteen codes have no +8.
                    let bound = [
                        0, largest / 2047 + 4e-8, largest * (0.5 / 127 + 0.0005) + 4e-6,
                        largest * 1.01 / 8 + 3e-7,
                    ]
                    #expect(abs(found[index] - x[index]) <= bound[Int(type)], "\(size) \(kind)")
                }
            }
        }
    }

    /// What is no number stays visible.
    @Test(arguments: kernelLevels, Int32(0)..<4) func faultsStayVisible(_ level: KernelLevel, _ type: Int32) {
        let kernels = Self.kernels(level)
        for fault in [Float.nan, .infinity] {
            var x = [Float](repeating: 1, count: 64)
            x[40] = fault
            var row = [UInt8](repeating: 0, count: Self.rowBytes(type, 64))
            kernels.encode(&row, x, 64, type)
            var found = [Float](repeating: 0, count: 64)
            kernels.decode(&found, row, 64, type)
            #expect(!found[40].isFinite)
            #expect(found[..<32].allSatisfy { abs($0 - 1) < 0.001 })
        }
    }
}
