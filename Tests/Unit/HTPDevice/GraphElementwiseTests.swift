import Foundation
import GGUF
import HTPDevice
import Quantization
import TestSupport
import Testing

/// Activations, sums, scaling and rows of tables on the DSP against double precision.
@Suite struct GraphElementwiseTests {
    static let functions: [ActivationFunction] = [
        .identity, .silu, .gelu, .geluQuick, .relu, .reluSquared, .sigmoid, .tanh,
        .swiGLUClamped(alpha: 1.702, limit: 7),
    ]

    static func value(_ function: ActivationFunction, _ x: Double) -> Double {
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        return switch function {
        case .identity: x
        case .silu: x * sigmoid(x)
        case .gelu: 0.5 * x * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        case .geluQuick: x * sigmoid(1.702 * x)
        case .relu: max(x, 0)
        case .reluSquared: max(x, 0) * max(x, 0)
        case .sigmoid: sigmoid(x)
        case .tanh: Foundation.tanh(x)
        case .swiGLUClamped(let alpha, let limit):
            min(x, Double(limit)) * sigmoid(Double(alpha) * min(x, Double(limit)))
        }
    }

    /// An exponential's relative error grows with its argument, and far below zero the witness's own `1 + tanh`
    /// has nothing but the rounding of one left.
    static func agree(_ found: Float, _ exact: Double) -> Bool {
        abs(Double(found) - exact) <= 5e-6 * abs(exact) + 1e-13
    }

    @Test(arguments: functions, [(1, 1), (2, 33), (3, 1000), (1, 5632)])
    func activates(_ function: ActivationFunction, _ shape: (rows: Int, width: Int)) throws {
        let fixture = try GraphFixture(seed: UInt64(shape.width))
        // Far tails, too: nothing may overflow there.
        let x = fixture.random.normals(shape.rows * shape.width).enumerated().map {
            $0 % 7 == 0 ? $1 * 40 : $1 * 2
        }
        let u = fixture.random.normals(shape.rows * shape.width).map { $0 * 5 }
        let gate = try fixture.put(x, width: shape.width, gap: 1), up = try fixture.put(u, width: shape.width)
        let gated = fixture.room(shape.rows, shape.width),
            alone = fixture.room(shape.rows, shape.width, gap: 2)
        var clamps = false
        if case .swiGLUClamped = function { clamps = true }
        try fixture.run(BatchParameters(tokens: shape.rows)) { builder, tensor in
            builder.activate(tensor(gate), function, times: tensor(up), width: shape.width, to: tensor(gated))
            if !clamps { builder.activate(tensor(gate), function, width: shape.width, to: tensor(alone)) }
            builder.activate(tensor(gate), function, times: tensor(up), width: shape.width, to: tensor(up))
        }
        let values = x.map { Self.value(function, Double($0)) }
        let expected = zip(values, u).map { value, u in
            guard case .swiGLUClamped(_, let limit) = function else { return value * Double(u) }
            return value * (max(-Double(limit), min(Double(limit), Double(u))) + 1)
        }
        let found = try fixture.get(gated, shape.rows, shape.width)
        for (found, exact) in zip(found, expected) {
            #expect(Self.agree(found, exact), "\(found), \(exact)")
        }
        #expect(try fixture.get(up, shape.rows, shape.width) == found)
        guard !clamps else { return }
        for (found, exact) in zip(try fixture.get(alone, shape.rows, shape.width), values) {
            #expect(Self.agree(found, exact), "\(found), \(exact)")
        }
    }

    @Test(arguments: [(1, 1), (3, 31), (2, 2049)])
    func addsMultipliesScales(_ shape: (rows: Int, width: Int)) throws {
        let fixture = try GraphFixture(seed: UInt64(shape.width))
        let count = shape.rows * shape.width
        let a = fixture.random.normals(count), b = fixture.random.normals(count)
        let left = try fixture.put(a, width: shape.width, gap: 1),
            right = try fixture.put(b, width: shape.width)
        var one = right
        one.stride = 0
        let results = (0..<5).map { _ in fixture.room(shape.rows, shape.width, gap: 3) }
        try fixture.run(BatchParameters(tokens: shape.rows)) { builder, tensor in
            builder.add(tensor(left), tensor(right), width: shape.width, to: tensor(results[0]))
            builder.multiply(tensor(left), tensor(right), width: shape.width, to: tensor(results[1]))
            builder.add(tensor(left), tensor(one), width: shape.width, to: tensor(results[2]))
            builder.scale(tensor(left), by: 3, offset: -1, width: shape.width, to: tensor(results[3]))
            builder.scale(tensor(left), by: 30, cap: 25, width: shape.width, to: tensor(results[4]))
        }
        let found = try results.map { try fixture.get($0, shape.rows, shape.width) }
        #expect(found[0] == zip(a, b).map { $0 + $1 })
        #expect(found[1] == zip(a, b).map { $0 * $1 })
        #expect(found[2] == a.enumerated().map { $1 + b[$0 % shape.width] })
        #expect(found[3] == a.map { $0 * 3 - 1 })
        let capped = a.map { 25 * Foundation.tanh(Double($0) * 30 / 25) }
        #expect(normalizedError(found[4], expected: capped) < 1e-13)
    }

    @Test(arguments: DeviceTable.Element.allCases, [(1, 32), (5, 64), (3, 320)])
    func copiesRows(_ element: DeviceTable.Element, _ shape: (rows: Int, width: Int)) throws {
        let fixture = try GraphFixture(seed: UInt64(shape.width))
        let tableRows = 13
        let type: TensorType =
            switch element {
            case .f32: .f32
            case .f16: .f16
            case .bf16: .bf16
            case .q4_0: .q4_0
            case .q8_0: .q8_0
            }
        let source = fixture.random.normals(tableRows * shape.width)
        let rowBytes = element.byteCount(shape.width)
        var bytes = [UInt8](repeating: 0, count: tableRows * rowBytes)
        var values = source
        // The library's own reader of the formats is the witness; Python's agrees with it in another test.
        try source.withUnsafeBufferPointer { source in
            try bytes.withUnsafeMutableBytes { try type.quantize(source, into: $0) }
        }
        try bytes.withUnsafeBytes { bytes in
            try values.withUnsafeMutableBufferPointer { try type.dequantize(bytes, into: $0) }
        }
        let table = try fixture.put(bytes, width: rowBytes)
        let numbers = (0..<shape.rows).map { UInt32($0 * 5 % tableRows) }
        let ids = try fixture.put(numbers, width: 1, gap: 1)
        let plain = fixture.room(shape.rows, shape.width), scaled = fixture.room(shape.rows, shape.width)
        try fixture.run(BatchParameters(tokens: shape.rows)) { builder, tensor in
            let table = DeviceTable(tensor(table), element: element, rows: tableRows, width: shape.width)
            builder.rows(of: table, tensor(ids), to: tensor(plain))
            builder.rows(of: table, tensor(ids), scale: 4.5, to: tensor(scaled))
        }
        let expected = numbers.flatMap { values[Int($0) * shape.width..<(Int($0) + 1) * shape.width] }
        #expect(try fixture.get(plain, shape.rows, shape.width) == expected)
        #expect(try fixture.get(scaled, shape.rows, shape.width) == expected.map { $0 * 4.5 })
    }

    @Test func aTokenOutsideTheTableEndsTheBatch() throws {
        let fixture = try GraphFixture(seed: 2)
        let table = try fixture.put(fixture.random.normals(4 * 8), width: 8)
        for bad in [4, UInt32.max] {
            let ids = try fixture.put([0, bad], width: 1)
            let before = fixture.room(2, 8), result = fixture.room(2, 8)
            let error = #expect(throws: HTPError.self) {
                try fixture.run(BatchParameters(tokens: 2)) { builder, tensor in
                    builder.scale(tensor(table), by: 1, width: 8, to: tensor(before))
                    builder.rows(
                        of: DeviceTable(tensor(table), element: .f32, rows: 4, width: 8), tensor(ids),
                        to: tensor(result))
                }
            }
            #expect(
                error?.description.contains(
                    "operation 1 of the batch: a row or expert number is outside its table")
                    == true)
        }
    }

    @Test func operationsOnOutputsAreSkippedWithoutAny() throws {
        let fixture = try GraphFixture(seed: 3)
        let source = try fixture.put(fixture.random.normals(16), width: 8), result = fixture.room(2, 8)
        try fixture.run(BatchParameters(tokens: 2, outputs: 0)) { builder, tensor in
            builder.scale(tensor(source), by: 2, width: 8, to: tensor(result), rows: .outputs)
        }
        #expect(try fixture.get(result, 2, 8).allSatisfy { $0 == 0 })
    }
}
