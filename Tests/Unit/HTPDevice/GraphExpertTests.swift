import HTPDevice
import TestSupport
import Testing

/// Routing of experts and the top of a row on the DSP against plain Swift.
@Suite struct GraphExpertTests {
    @Test(arguments: ExpertRouting.Gate.allCases, [(8, 2), (60, 6), (128, 8), (512, 64), (3, 3)])
    func routes(_ gate: ExpertRouting.Gate, _ size: (experts: Int, count: Int)) throws {
        for (normalizes, biased) in [(false, false), (true, false), (true, true)] {
            let fixture = try GraphFixture(seed: UInt64(size.experts))
            let tokens = 5
            let logits = fixture.random.normals(tokens * size.experts)
            let bias = fixture.random.normals(size.experts).map { $0 / 10 }
            let source = try fixture.put(logits, width: size.experts, gap: 1)
            let biases = try fixture.put(bias, width: size.experts)
            let chosen = fixture.room(tokens, size.count, gap: 2), weights = fixture.room(tokens, size.count)
            try fixture.run(BatchParameters(tokens: tokens)) { builder, tensor in
                builder.route(
                    tensor(source), bias: biased ? tensor(biases) : nil,
                    ExpertRouting(
                        experts: size.experts, count: size.count, gate: gate, normalizes: normalizes,
                        scale: 2.5),
                    chosen: tensor(chosen), weights: tensor(weights))
            }
            var places: [Int32] = [], expected: [Double] = []
            for row in rows(logits, size.experts) {
                let gates: [Double] =
                    switch gate {
                    case .softmax: softmax(row)
                    case .sigmoid: row.map { Self.value(.sigmoid, $0) }
                    case .softmaxOfChosen: row
                    }
                let keys = gates.enumerated().map { biased ? $1 + Double(bias[$0]) : $1 }
                let best = keys.indices.sorted { keys[$0] > keys[$1] }.prefix(size.count)
                var weights = best.map { gates[$0] }
                if gate == .softmaxOfChosen { weights = softmax(weights) }
                if normalizes {
                    let sum = weights.reduce(0, +)
                    weights = weights.map { $0 / sum }
                }
                places += best.map { Int32($0) }
                expected += weights.map { $0 * 2.5 }
            }
            #expect(try fixture.get(chosen, tokens, size.count, as: Int32.self) == places)
            #expect(normalizedError(try fixture.get(weights, tokens, size.count), expected: expected) < 1e-12)
        }
    }

    static func value(_ function: ActivationFunction, _ x: Double) -> Double {
        GraphElementwiseTests.value(function, x)
    }

    @Test(arguments: [(1, 1, 7), (3, 2, 64), (2, 8, 600)])
    func mixesAndAddsBiases(_ size: (tokens: Int, count: Int, width: Int)) throws {
        let fixture = try GraphFixture(seed: UInt64(size.width))
        let (tokens, count, width) = size
        let vectors = fixture.random.normals(tokens * count * width)
        let weight = fixture.random.normals(tokens * count), addend = fixture.random.normals(tokens * width)
        let table = fixture.random.normals(9 * width)
        let numbers = (0..<tokens * count).map { UInt32($0 * 4 % 9) }
        let source = try fixture.put(vectors, width: count * width),
            weights = try fixture.put(weight, width: count)
        let added = try fixture.put(addend, width: width), rowsOf = try fixture.put(table, width: width)
        let ids = try fixture.put(numbers, width: count)
        let mixed = fixture.room(tokens, width), biased = fixture.room(tokens, count * width)
        try fixture.run(BatchParameters(tokens: tokens)) { builder, tensor in
            builder.mix(
                tensor(source), weights: tensor(weights), count: count, width: width, to: tensor(mixed))
            builder.mix(
                tensor(source), weights: tensor(weights), count: count, width: width, adding: tensor(added),
                to: tensor(added))
            builder.addRows(
                of: tensor(rowsOf), tableRows: 9, tensor(ids), to: tensor(source), count: count, width: width,
                destination: tensor(biased))
        }
        var sums = [Double](repeating: 0, count: tokens * width)
        for token in 0..<tokens {
            for k in 0..<count {
                for i in 0..<width {
                    sums[token * width + i] +=
                        Double(vectors[(token * count + k) * width + i]) * Double(weight[token * count + k])
                }
            }
        }
        #expect(normalizedError(try fixture.get(mixed, tokens, width), expected: sums) < 1e-12)
        let withAddend = zip(sums, addend).map { $0 + Double($1) }
        #expect(normalizedError(try fixture.get(added, tokens, width), expected: withAddend) < 1e-12)
        let expected = vectors.indices.map {
            vectors[$0] + table[Int(numbers[$0 / width]) * width + $0 % width]
        }
        #expect(try fixture.get(biased, tokens, count * width) == expected)
    }

    @Test(arguments: [(1, 1, 1), (1, 10, 3), (5, 1000, 40), (2, 151_936, 64), (3, 256, 256)])
    func findsTheTop(_ size: (rows: Int, width: Int, count: Int)) throws {
        let fixture = try GraphFixture(seed: UInt64(size.width))
        // Few different values, so that many are equal.
        var values = fixture.random.normals(size.rows * size.width).map { ($0 * 8).rounded() / 8 }
        if size.width > 9 {
            values[3] = .infinity
            values[5] = .nan
            values[7] = -.infinity
            values[8] = -0.0
        }
        let source = try fixture.put(values, width: size.width)
        let places = fixture.room(size.rows, size.count), best = fixture.room(size.rows, size.count)
        try fixture.run(BatchParameters(tokens: 1, outputs: size.rows)) { builder, tensor in
            builder.top(
                size.count, of: tensor(source), width: size.width, places: tensor(places),
                values: tensor(best))
        }
        var expected: [Int32] = []
        for row in 0..<size.rows {
            // Nothing is below a number that is none.
            let keys = Array(values[row * size.width..<(row + 1) * size.width])
            let order = keys.indices.sorted { (a: Int, b: Int) -> Bool in
                if keys[a].isNaN || keys[b].isNaN {
                    return keys[a].isNaN == keys[b].isNaN ? a < b : keys[b].isNaN
                }
                return keys[a] != keys[b] ? keys[a] > keys[b] : a < b
            }
            expected += order.prefix(size.count).map { Int32($0) }
        }
        let found = try fixture.get(places, size.rows, size.count, as: Int32.self)
        #expect(found == expected)
        let wanted = found.indices.map { values[$0 / size.count * size.width + Int(found[$0])].bitPattern }
        #expect(try fixture.get(best, size.rows, size.count).map(\.bitPattern) == wanted)
    }

    /// Experts that many rows want, that one wants and that none wants.
    @Test(
        arguments: [WeightMatrix.Format.q4_0, .q8_0],
        [(1, 2, false), (9, 3, false), (64, 1, false), (1, 2, true), (9, 3, true)])
    func multipliesByChosenExperts(
        format: WeightMatrix.Format, size: (tokens: Int, count: Int, hasOwnSources: Bool)
    ) throws {
        let fixture = try GraphFixture(seed: UInt64(size.tokens))
        let (tokens, count, hasOwnSources) = size
        let (experts, outputs, inputs) = (6, 70, 96)
        let matrices = try (0..<experts).map { _ in
            try RandomMatrix(format, rows: outputs, columns: inputs, random: &fixture.random)
        }
        let numbers = (0..<tokens * count).map { UInt32($0 % 7 == 0 ? 4 : $0 % 3) }
        let width = hasOwnSources ? count * inputs : inputs
        let values = fixture.random.normals(tokens * width)
        let source = try fixture.put(values, width: width), ids = try fixture.put(numbers, width: count)
        let result = fixture.room(tokens, count * outputs), again = fixture.room(tokens, count * outputs)
        let closely = fixture.room(tokens, count * outputs)
        for (device, buffer) in zip(fixture.devices, fixture.buffers) {
            func tensor(_ t: GraphFixture.Tensor) -> DeviceTensor {
                DeviceTensor(buffer, offset: t.offset, stride: t.stride, isShared: true)
            }
            // Loaded together, they follow one another.
            let bytes = matrices.flatMap(\.bytes)
            let first = try bytes.withUnsafeBytes { bytes in
                let size = bytes.count / experts
                let weights = try matrices.indices.map { index in
                    try WeightMatrix(
                        name: "expert", format: format, rows: outputs, columns: inputs,
                        bytes: UnsafeRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size]))
                }
                return try device.load(weights) { count, body in (0..<count).forEach(body) }[0]
            }
            var builder = BatchBuilder()
            builder.matmul(
                device.matrix(first), experts: experts, tensor(ids), count: count, tensor(source),
                hasOwnSources: hasOwnSources, to: tensor(result))
            if !hasOwnSources {
                builder.matmul(
                    device.matrix(first), experts: experts, tensor(ids), count: count, tensor(source),
                    hasOwnSources: false, to: tensor(again), isQuantized: true)
            }
            builder.matmul(
                device.matrix(first), experts: experts, tensor(ids), count: count, tensor(source),
                hasOwnSources: hasOwnSources, to: tensor(closely), precision: .double)
            if !hasOwnSources {
                // The first of two quantisations is the only one of other products.
                builder.matmul(
                    device.matrix(first), experts: experts, tensor(ids), count: count, tensor(source),
                    hasOwnSources: false, to: tensor(again), isQuantized: true)
            }
            let report = try device.submit(try device.prepare(builder), BatchParameters(tokens: tokens))
            #expect(report.multiplyAdds == builder.operationCount * tokens * count * outputs * inputs)
        }
        let found = try fixture.get(result, tokens, count * outputs)
        let foundClosely = try fixture.get(closely, tokens, count * outputs)
        for pair in 0..<tokens * count {
            let at = hasOwnSources ? pair * inputs : pair / count * inputs
            let error = matrices[Int(numbers[pair])].error(
                of: Array(found[pair * outputs..<(pair + 1) * outputs]), with: Array(values[at..<at + inputs])
            )
            #expect(error < 3e-4, "\(error)")
            let close = matrices[Int(numbers[pair])].error(
                of: Array(foundClosely[pair * outputs..<(pair + 1) * outputs]),
                with: Array(values[at..<at + inputs]))
            #expect(close < 1e-6, "\(close)")
        }
        if !hasOwnSources { #expect(try fixture.get(again, tokens, count * outputs) == found) }
    }
}
