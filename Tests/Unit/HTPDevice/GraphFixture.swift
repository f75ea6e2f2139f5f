import Foundation
import HTPDevice
import TestSupport
import Testing
import VirtualDSP

/// Builds one batch on simulated DSPs of 1, 2 and 4 workers at once, and compares what they leave.
final class GraphFixture {
    /// The same tensor on each device.
    struct Tensor {
        var offset: Int
        var stride: Int
    }

    static let workers = [1, 2, 4]
    private static let byteCount = 8 << 20

    let devices: [HTPDevice]
    let buffers: [DeviceBuffer]
    var random: SeededGenerator
    private var used = 0

    init(seed: UInt64) throws {
        random = SeededGenerator(seed)
        devices = try Self.workers.map { try ProductTests.device("simulator", threads: $0) }
        buffers = try devices.map { try $0.makeBuffer(byteCount: Self.byteCount) }
    }

    /// Room for rows of `width` elements of four bytes, `gap` elements apart.
    func room(_ rows: Int, _ width: Int, gap: Int = 0) -> Tensor {
        bytes(rows * (width + gap) * 4, stride: (width + gap) * 4)
    }

    func bytes(_ count: Int, stride: Int) -> Tensor {
        precondition(used + count <= Self.byteCount)
        defer { used += (count + 127) / 128 * 128 }
        return Tensor(offset: used, stride: stride)
    }

    /// Rows of `width` values.
    func put<Value: BitwiseCopyable>(_ values: [Value], width: Int, gap: Int = 0) throws -> Tensor {
        let size = MemoryLayout<Value>.size
        let rows = values.count / width
        let tensor = bytes(rows * (width + gap) * size, stride: (width + gap) * size)
        for buffer in buffers {
            try buffer.withBytes(.write) { memory in
                for index in values.indices {
                    let (row, column) = (index / width, index % width)
                    memory.storeBytes(
                        of: values[index], toByteOffset: tensor.offset + row * tensor.stride + column * size,
                        as: Value.self)
                }
            }
        }
        return tensor
    }

    /// What the first device has; an issue is recorded if another's differs.
    func get<Value: BitwiseCopyable & Equatable>(
        _ tensor: Tensor, _ rows: Int, _ width: Int, as type: Value.Type = Float.self
    ) throws -> [Value] {
        let size = MemoryLayout<Value>.size
        let found: [[UInt8]] = try buffers.map { buffer in
            try buffer.withBytes(.read) { memory in
                var bytes: [UInt8] = []
                for row in 0..<rows {
                    let first = tensor.offset + row * tensor.stride
                    bytes.append(contentsOf: memory[first..<first + width * size])
                }
                return bytes
            }
        }
        for (workers, other) in zip(Self.workers, found).dropFirst() where other != found[0] {
            Issue.record("\(workers) workers leave something else than one")
        }
        return found[0].withUnsafeBytes { bytes in
            (0..<rows * width).map { bytes.loadUnaligned(fromByteOffset: $0 * size, as: Value.self) }
        }
    }

    /// Builds the batch for each device and submits it.
    func run(_ parameters: BatchParameters, _ build: (inout BatchBuilder, (Tensor) -> DeviceTensor) -> Void)
        throws
    {
        for (device, buffer) in zip(devices, buffers) {
            var builder = BatchBuilder()
            build(&builder) { DeviceTensor(buffer, offset: $0.offset, stride: $0.stride, isShared: true) }
            let report = try device.submit(try device.prepare(builder), parameters)
            #expect(report.operations == builder.operationCount)
        }
    }

    /// The same for operations that name the buffer itself.
    func run(
        _ parameters: BatchParameters,
        _ build: (inout BatchBuilder, DeviceBuffer, (Tensor) -> DeviceTensor) -> Void
    ) throws {
        for (device, buffer) in zip(devices, buffers) {
            var builder = BatchBuilder()
            build(&builder, buffer) {
                DeviceTensor(buffer, offset: $0.offset, stride: $0.stride, isShared: true)
            }
            try device.submit(try device.prepare(builder), parameters)
        }
    }
}

/// Splits values into rows as double precision numbers.
func rows(_ values: [Float], _ width: Int) -> [[Double]] {
    stride(from: 0, to: values.count, by: width).map { values[$0..<$0 + width].map { Double($0) } }
}

func softmax(_ x: [Double]) -> [Double] {
    let largest = x.max() ?? 0
    let powers = x.map { exp($0 - largest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
}
