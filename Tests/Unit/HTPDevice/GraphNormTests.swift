import HTPDevice
import TestSupport
import Testing

/// Norms on the DSP against the formulas in double precision.
@Suite struct GraphNormTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var rows, width, groups: Int
        var centered, adds, keepsSum, weighs, biases: Bool
        var testDescription: String {
            "\(rows) × \(groups) × \(width)\(centered ? " centered" : "")\(adds ? " sum" : "")"
                + "\(keepsSum ? " kept" : "")\(weighs ? " weight" : "")\(biases ? " bias" : "")"
        }
    }

    static let cases: [Case] = [
        (1, 1, 1), (1, 33, 1), (3, 64, 1), (5, 100, 4), (2, 2048, 1), (9, 128, 3), (1, 4097, 1),
    ]
    .flatMap { rows, width, groups in
        [false, true].flatMap { centered in
            [0, 1, 2, 3].map { kind in
                Case(
                    rows: rows, width: width, groups: groups, centered: centered, adds: kind > 1,
                    keepsSum: kind == 3, weighs: kind != 0, biases: centered && kind > 0)
            }
        }
    }

    @Test(arguments: cases) func isTheNorm(_ c: Case) throws {
        // One value has nothing left without its mean.
        guard !(c.centered && c.width == 1) else { return }
        let fixture = try GraphFixture(seed: UInt64(c.width * c.rows))
        let columns = c.width * c.groups
        let x = fixture.random.normals(c.rows * columns).map { $0 + 0.5 }
        let addend = fixture.random.normals(c.rows * columns)
        let weight = fixture.random.normals(c.width), bias = fixture.random.normals(c.width)
        let epsilon: Float = 1e-5
        let source = try fixture.put(x, width: columns, gap: 2),
            added = try fixture.put(addend, width: columns)
        let weights = try fixture.put(weight, width: c.width), biases = try fixture.put(bias, width: c.width)
        let sum = fixture.room(c.rows, columns, gap: 1), result = fixture.room(c.rows, columns, gap: 3)
        try fixture.run(BatchParameters(tokens: c.rows)) { builder, tensor in
            builder.norm(
                tensor(source), width: c.width, groups: c.groups, epsilon: epsilon, centered: c.centered,
                adding: c.adds ? tensor(added) : nil, sum: c.keepsSum ? tensor(sum) : nil,
                weight: c.weighs ? tensor(weights) : nil, bias: c.biases ? tensor(biases) : nil,
                to: tensor(result))
        }
        var expected: [Double] = []
        for var vector in rows(zip(x, addend).map { c.adds ? $0 + $1 : $0 }, c.width) {
            if c.centered {
                let mean = vector.reduce(0, +) / Double(c.width)
                vector = vector.map { $0 - mean }
            }
            let square = vector.reduce(0) { $0 + $1 * $1 } / Double(c.width) + Double(epsilon)
            for (index, value) in vector.enumerated() {
                expected.append(
                    value / square.squareRoot() * (c.weighs ? Double(weight[index]) : 1)
                        + (c.biases ? Double(bias[index]) : 0))
            }
        }
        #expect(normalizedError(try fixture.get(result, c.rows, columns), expected: expected) < 1e-13)
        if c.keepsSum {
            #expect(try fixture.get(sum, c.rows, columns) == zip(x, addend).map { $0 + $1 })
        }
    }

    @Test func worksInPlaceAndKeepsTheResidualThere() throws {
        let fixture = try GraphFixture(seed: 4)
        let (count, width) = (3, 96)
        let x = fixture.random.normals(count * width), addend = fixture.random.normals(count * width)
        let residual = try fixture.put(x, width: width), branch = try fixture.put(addend, width: width)
        try fixture.run(BatchParameters(tokens: count)) { builder, tensor in
            builder.norm(
                tensor(residual), width: width, epsilon: 1e-6, adding: tensor(branch), sum: tensor(residual),
                to: tensor(branch))
        }
        let sums = zip(x, addend).map { $0 + $1 }
        #expect(try fixture.get(residual, count, width) == sums)
        let expected = rows(sums, width).flatMap { row in
            let square = row.reduce(0) { $0 + $1 * $1 } / Double(width) + 1e-6
            return row.map { $0 / square.squareRoot() }
        }
        #expect(normalizedError(try fixture.get(branch, count, width), expected: expected) < 1e-13)
    }

    /// A norm that quantises for its products gives them the same bits as products that do it themselves.
    @Test(arguments: [1, 4]) func quantisesForProducts(count: Int) throws {
        let fixture = try GraphFixture(seed: 9)
        let matrix = try RandomMatrix(.q4_0, rows: 70, columns: 128, random: &fixture.random)
        let numbers = try fixture.devices.map { device in
            try matrix.withWeights { try device.load([$0]) { count, body in (0..<count).forEach(body) } }[0]
        }
        let source = try fixture.put(fixture.random.normals(count * 128), width: 128)
        let normed = fixture.room(count, 128), fused = fixture.room(count, 70),
            apart = fixture.room(count, 70)
        let again = fixture.room(count, 70)
        for ((device, number), buffer) in zip(zip(fixture.devices, numbers), fixture.buffers) {
            func tensor(_ t: GraphFixture.Tensor) -> DeviceTensor {
                DeviceTensor(buffer, offset: t.offset, stride: t.stride, isShared: true)
            }
            var builder = BatchBuilder()
            builder.norm(tensor(source), width: 128, epsilon: 1e-5, to: tensor(normed), quantizes: true)
            builder.matmul(device.matrix(number), tensor(normed), to: tensor(fused), isQuantized: true)
            builder.matmul(device.matrix(number), tensor(normed), to: tensor(apart))
            builder.matmul(device.matrix(number), tensor(normed), to: tensor(again), isQuantized: true)
            let report = try device.submit(try device.prepare(builder), BatchParameters(tokens: count))
            #expect(report.multiplyAdds == 3 * count * 70 * 128)
        }
        let result = try fixture.get(fused, count, 70)
        #expect(try fixture.get(apart, count, 70) == result)
        #expect(try fixture.get(again, count, 70) == result)
        #expect(matrix.error(of: result, with: try fixture.get(normed, count, 128)) < 2e-4)
    }

    @Test func aRefusedGraphSaysWhichOperationAndWhy() throws {
        let fixture = try GraphFixture(seed: 1)
        let source = try fixture.put([Float](repeating: 1, count: 64), width: 64),
            result = fixture.room(1, 64)
        let device = fixture.devices[0]
        func message(_ parameters: BatchParameters, _ build: (inout BatchBuilder) -> Void) throws -> String {
            var builder = BatchBuilder()
            build(&builder)
            let batch = try device.prepare(builder)
            let error = #expect(throws: HTPError.self) { try device.submit(batch, parameters) }
            return error?.description ?? ""
        }
        func tensor(_ t: GraphFixture.Tensor) -> DeviceTensor {
            DeviceTensor(fixture.buffers[0], offset: t.offset, stride: t.stride, isShared: true)
        }
        let overlapping = try message(BatchParameters(tokens: 1)) { builder in
            builder.norm(tensor(source), width: 64, epsilon: 1e-5, to: tensor(result))
            var shifted = tensor(source)
            shifted.offset += 4
            builder.scale(tensor(source), by: 2, width: 64, to: shifted)
        }
        #expect(overlapping.contains("operation 1 of the batch: a result would overwrite another tensor"))
        // The first operation did not run either.
        #expect(try fixture.get(result, 1, 64) == [Float](repeating: 0, count: 64))
        let far = try message(BatchParameters(tokens: 1)) { builder in
            var outside = tensor(result)
            outside.offset = fixture.buffers[0].byteCount - 8
            builder.scale(tensor(source), by: 2, width: 64, to: outside)
        }
        #expect(far.contains("operation 0 of the batch: a tensor reaches outside its buffer"))
        #expect(throws: HTPError.self) {
            try device.submit(try device.prepare(BatchBuilder()), BatchParameters(tokens: 0))
        }
    }
}
