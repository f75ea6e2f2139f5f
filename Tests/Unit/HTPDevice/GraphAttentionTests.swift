import Foundation
import HTPDevice
import Quantization
import TestSupport
import Testing

/// Rotation, cache and attention on the DSP against the formulas in double precision.
@Suite struct GraphAttentionTests {
    /// Cosines and sines for `positions`, and what they are made of.
    static func angles(_ positions: Range<Int>, pairs: Int, magnitude: Double = 1) -> [Float] {
        positions.flatMap { position in
            (0..<pairs).flatMap { pair -> [Float] in
                let angle = Double(position) * pow(10000, -Double(pair) / Double(pairs))
                return [Float(cos(angle) * magnitude), Float(sin(angle) * magnitude)]
            }
        }
    }

    static func rotate(_ head: [Double], _ angles: ArraySlice<Float>, pairs: Int, halves: Bool) -> [Double] {
        var result = head
        for pair in 0..<pairs {
            let (a, b) = halves ? (pair, pair + pairs) : (2 * pair, 2 * pair + 1)
            let cosine = Double(angles[angles.startIndex + 2 * pair])
            let sine = Double(angles[angles.startIndex + 2 * pair + 1])
            result[a] = head[a] * cosine - head[b] * sine
            result[b] = head[a] * sine + head[b] * cosine
        }
        return result
    }

    @Test(arguments: [(1, 1, 64, 32), (4, 3, 65, 20), (7, 8, 10, 5), (2, 32, 128, 64)], [false, true])
    func rotates(_ shape: (rows: Int, heads: Int, size: Int, pairs: Int), halves: Bool) throws {
        let fixture = try GraphFixture(seed: UInt64(shape.size))
        let position = 1000
        let width = shape.heads * shape.size
        let x = fixture.random.normals(shape.rows * width)
        let table = Self.angles(position..<position + shape.rows, pairs: shape.pairs, magnitude: 1.1)
        let everywhere = Self.angles(0..<position + shape.rows, pairs: shape.pairs, magnitude: 1.1)
        let source = try fixture.put(x, width: width, gap: 1), result = fixture.room(shape.rows, width)
        let own = try fixture.put(table, width: 2 * shape.pairs)
        let all = try fixture.put(everywhere, width: 2 * shape.pairs)
        try fixture.run(BatchParameters(tokens: shape.rows, position: position)) { builder, tensor in
            builder.rotate(
                tensor(source), heads: shape.heads, size: shape.size,
                by: DeviceAngles(tensor(own), pairs: shape.pairs, halves: halves, byPosition: false),
                to: tensor(result))
            builder.rotate(
                tensor(source), heads: shape.heads, size: shape.size,
                by: DeviceAngles(tensor(all), pairs: shape.pairs, halves: halves, byPosition: true),
                to: tensor(source))
        }
        let expected = rows(x, shape.size).enumerated().flatMap { index, head in
            Self.rotate(
                head,
                table[(index / shape.heads) * 2 * shape.pairs..<(index / shape.heads + 1) * 2 * shape.pairs],
                pairs: shape.pairs, halves: halves)
        }
        let found = try fixture.get(result, shape.rows, width)
        #expect(normalizedError(found, expected: expected) < 1e-13)
        // In place, with the table of all positions.
        #expect(try fixture.get(source, shape.rows, width) == found)
    }

    @Test(arguments: DeviceCache.Element.allCases, [false, true])
    func stores(element: DeviceCache.Element, turns: Bool) throws {
        let fixture = try GraphFixture(seed: 5)
        let (count, heads, size, capacity, position, pairs) = (3, 2, 64, 9, 4, 32)
        let x = fixture.random.normals(count * heads * size)
        let table = Self.angles(position..<position + count, pairs: pairs)
        let source = try fixture.put(x, width: heads * size),
            angles = try fixture.put(table, width: 2 * pairs)
        let room = fixture.bytes(65536, stride: 0)
        let layout = DeviceCache(
            fixture.buffers[0], offset: room.offset, element: element, heads: heads, size: size,
            capacity: capacity)
        try fixture.run(BatchParameters(tokens: count, position: position)) { builder, buffer, tensor in
            builder.store(
                tensor(source),
                by: turns ? DeviceAngles(tensor(angles), pairs: pairs, halves: true, byPosition: false) : nil,
                to: DeviceCache(
                    buffer, offset: room.offset, element: element, heads: heads, size: size,
                    capacity: capacity))
        }
        let bytes = try fixture.get(
            GraphFixture.Tensor(offset: room.offset, stride: 0), 1, layout.byteCount, as: UInt8.self)
        for position in 0..<capacity {
            for head in 0..<heads {
                let at = head * layout.headStride + position * layout.tensor.stride
                let row = Self.decode(Array(bytes[at..<at + element.byteCount(size)]), element, size)
                let index = position - 4
                guard (0..<count).contains(index) else {
                    #expect(row.allSatisfy { $0 == 0 })
                    continue
                }
                var expected = rows(x, size)[index * heads + head]
                if turns {
                    expected = Self.rotate(
                        expected, table[index * 2 * pairs..<(index + 1) * 2 * pairs], pairs: pairs,
                        halves: true)
                }
                for (found, exact) in zip(row, expected) {
                    let error = abs(found - exact)
                    switch element {
                    case .f32: #expect(error <= abs(exact) * 1e-6 + 1e-7)
                    case .f16: #expect(error <= abs(exact) * 0.0005 + 1e-6)
                    // Half a step of a 127th, and the rounding of the scale.
                    case .q8: #expect(error <= 5 * 0.51 / 127 + abs(exact) * 0.0006)
                    // Sixteen steps from −8 to 7: what would be 8 is a step off.
                    case .q4: #expect(error <= 5 * 1.01 / 8 + abs(exact) * 0.0006)
                    }
                }
            }
        }
    }

    static func decode(_ row: [UInt8], _ element: DeviceCache.Element, _ size: Int) -> [Double] {
        func half(_ at: Int) -> Double {
            let bits = UInt16(row[at]) | UInt16(row[at + 1]) << 8
            let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 1023))
            let magnitude =
                exponent == 0 ? fraction * 0x1p-24 : (1024 + fraction) * pow(2, Double(exponent - 25))
            return bits >> 15 == 1 ? -magnitude : magnitude
        }
        return (0..<size).map { index in
            switch element {
            case .f32:
                Double(
                    Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(row[4 * index + $1]) << (8 * $1) }))
            case .f16: half(2 * index)
            case .q8: Double(Int8(bitPattern: row[index])) * half(size + index / 32 * 2)
            case .q4:
                Double(Int(row[index / 32 * 16 + index % 16] >> (index % 32 < 16 ? 0 : 4) & 15) - 8)
                    * half(size / 2 + index / 32 * 2)
            }
        }
    }

    struct Attention: Sendable, CustomTestStringConvertible {
        var keys, values: DeviceCache.Element
        var tokens, position, keyHeads, group, keySize, valueSize: Int
        var window = 0
        var cap: Float = 0
        var sinks = false, seesAll = false
        var testDescription: String {
            "\(keys)/\(values) \(tokens) at \(position), \(keyHeads) × \(group) heads, \(keySize)/\(valueSize)"
                + ", window \(window), cap \(cap)\(sinks ? ", sinks" : "")\(seesAll ? ", all" : "")"
        }
    }

    static let attentions: [Attention] = {
        var all: [Attention] = []
        for keys in DeviceCache.Element.allCases {
            for values in DeviceCache.Element.allCases {
                all.append(
                    Attention(
                        keys: keys, values: values, tokens: 1, position: 100, keyHeads: 2, group: 4,
                        keySize: 64,
                        valueSize: 64))
                all.append(
                    Attention(
                        keys: keys, values: values, tokens: 7, position: 30, keyHeads: 3, group: 1,
                        keySize: 96,
                        valueSize: 32, window: 9, sinks: true))
            }
            all.append(
                Attention(
                    keys: keys, values: keys, tokens: 33, position: 0, keyHeads: 1, group: 5, keySize: 32,
                    valueSize: 128, cap: 3))
            all.append(
                Attention(
                    keys: keys, values: keys, tokens: 5, position: 60, keyHeads: 2, group: 2, keySize: 64,
                    valueSize: 64, window: 40, cap: 20, sinks: true, seesAll: true))
        }
        all.append(
            Attention(
                keys: .f16, values: .f16, tokens: 2, position: 1500, keyHeads: 1, group: 2, keySize: 80,
                valueSize: 80))
        all.append(
            Attention(
                keys: .f16, values: .f32, tokens: 1, position: 0, keyHeads: 1, group: 1, keySize: 7,
                valueSize: 3))
        return all
    }()

    @Test(arguments: attentions) func attends(_ a: Attention) throws {
        let fixture = try GraphFixture(seed: UInt64(a.position + a.tokens))
        let capacity = a.position + a.tokens + 3
        let heads = a.keyHeads * a.group
        let key = fixture.random.normals((a.position + a.tokens) * a.keyHeads * a.keySize)
        let value = fixture.random.normals((a.position + a.tokens) * a.keyHeads * a.valueSize)
        let query = fixture.random.normals(a.tokens * heads * a.keySize)
        let sink = fixture.random.normals(heads)
        let scale = 1 / Float(a.keySize).squareRoot()
        let keySource = try fixture.put(key, width: a.keyHeads * a.keySize)
        let valueSource = try fixture.put(value, width: a.keyHeads * a.valueSize)
        let queries = try fixture.put(query, width: heads * a.keySize, gap: 3)
        let sinks = try fixture.put(sink, width: heads)
        let result = fixture.room(a.tokens, heads * a.valueSize, gap: 1)
        let keyRoom = fixture.bytes(a.keyHeads * capacity * a.keySize * 4 + 4096, stride: 0)
        let valueRoom = fixture.bytes(a.keyHeads * capacity * a.valueSize * 4 + 4096, stride: 0)
        func caches(_ buffer: DeviceBuffer) -> (DeviceCache, DeviceCache) {
            (
                DeviceCache(
                    buffer, offset: keyRoom.offset, element: a.keys, heads: a.keyHeads, size: a.keySize,
                    capacity: capacity),
                DeviceCache(
                    buffer, offset: valueRoom.offset, element: a.values, heads: a.keyHeads, size: a.valueSize,
                    capacity: capacity)
            )
        }
        try fixture.run(BatchParameters(tokens: a.position + a.tokens)) { builder, buffer, tensor in
            let (keys, values) = caches(buffer)
            builder.store(tensor(keySource), to: keys)
            builder.store(tensor(valueSource), to: values)
        }
        try fixture.run(BatchParameters(tokens: a.tokens, position: a.position)) { builder, buffer, tensor in
            let (keys, values) = caches(buffer)
            builder.attention(
                tensor(queries), keys: keys, values: values, sinks: a.sinks ? tensor(sinks) : nil,
                .init(group: a.group, scale: scale, window: a.window, cap: a.cap, seesAll: a.seesAll),
                to: tensor(result))
        }
        // The witness reads the cache as the DSP left it: what the formats lose is another test's matter.
        func row(_ cache: DeviceCache, _ bytes: [UInt8], _ head: Int, _ position: Int) -> [Double] {
            let at = head * cache.headStride + position * cache.tensor.stride
            return Self.decode(
                Array(bytes[at..<at + cache.element.byteCount(cache.size)]), cache.element, cache.size)
        }
        let (keys, values) = caches(fixture.buffers[0])
        let keyBytes = try fixture.get(keyRoom, 1, keys.byteCount, as: UInt8.self)
        let valueBytes = try fixture.get(valueRoom, 1, values.byteCount, as: UInt8.self)
        var expected: [Double] = []
        for token in 0..<a.tokens {
            let end = a.seesAll ? a.position + a.tokens : a.position + token + 1
            let begin = a.window > 0 ? max(0, a.position + token + 1 - a.window) : 0
            for head in 0..<heads {
                let vector = rows(query, a.keySize)[token * heads + head]
                var scores = (begin..<end).map { position in
                    let product: Double = zip(vector, row(keys, keyBytes, head / a.group, position)).reduce(
                        0.0
                    ) {
                        $0 + $1.0 * $1.1
                    }
                    let score = product * Double(scale)
                    return a.cap > 0 ? Double(a.cap) * tanh(score / Double(a.cap)) : score
                }
                if a.sinks { scores.append(Double(sink[head])) }
                let weights = softmax(scores)
                var sum = [Double](repeating: 0, count: a.valueSize)
                for position in begin..<end {
                    for (index, element) in row(values, valueBytes, head / a.group, position).enumerated() {
                        sum[index] += weights[position - begin] * element
                    }
                }
                expected += sum
            }
        }
        let error = normalizedError(
            try fixture.get(result, a.tokens, heads * a.valueSize), expected: expected)
        #expect(error < 1e-12, "\(error)")
    }

    @Test func positionsBeyondTheCacheAreRefused() throws {
        let fixture = try GraphFixture(seed: 6)
        let source = try fixture.put(fixture.random.normals(64), width: 32)
        let room = fixture.bytes(4096, stride: 0)
        func attempt(_ tokens: Int, _ position: Int) throws {
            try fixture.run(BatchParameters(tokens: tokens, position: position)) { builder, buffer, tensor in
                builder.store(
                    tensor(source),
                    to: DeviceCache(
                        buffer, offset: room.offset, element: .f16, heads: 1, size: 32, capacity: 10))
            }
        }
        try attempt(1, 9)
        try attempt(2, 8)
        #expect(throws: HTPError.self) { try attempt(2, 9) }
        #expect(throws: HTPError.self) { try attempt(1, 10) }
        #expect(throws: HTPError.self) { try attempt(1, (1 << 30) - 1) }
    }

    @Test(arguments: [(1, 1), (3, 33), (2, 1000)], [false, true])
    func softmaxIsTheSoftmax(_ shape: (rows: Int, width: Int), inPlace: Bool) throws {
        let fixture = try GraphFixture(seed: 8)
        let x = fixture.random.normals(shape.rows * shape.width).map { $0 * 5 }
        let source = try fixture.put(x, width: shape.width), other = fixture.room(shape.rows, shape.width)
        let result = inPlace ? source : other
        try fixture.run(BatchParameters(tokens: 1, outputs: shape.rows)) { builder, tensor in
            builder.softmax(
                tensor(source), width: shape.width, scale: 0.7, to: tensor(result), rows: .outputs)
        }
        let expected = rows(x, shape.width).flatMap { softmax($0.map { $0 * Double(Float(0.7)) }) }
        #expect(normalizedError(try fixture.get(result, shape.rows, shape.width), expected: expected) < 1e-12)
    }
}
