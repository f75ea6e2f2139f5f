import GGUF
import Quantization
import Testing

@Suite("Quantization")
struct QuantizationTests {
    @Test("block sizes are those of the type table", arguments: TensorType.dequantizable)
    func sizes(type: TensorType) throws {
        let format = try #require(type.blockFormat)
        #expect(format.type == type)
        #expect(format.blockSize == type.layout?.blockSize)
        #expect(format.bytesPerBlock == type.layout?.bytesPerBlock)
    }

    @Test("any bytes can be read", arguments: TensorType.dequantizable)
    func anyBytes(type: TensorType) throws {
        let format = try #require(type.blockFormat)
        for pattern in [0x00, 0x7f, 0x80, 0xff] as [UInt8] {
            // One byte off alignment.
            let bytes = [UInt8](repeating: pattern, count: format.bytesPerBlock * 3 + 1)
            var values = [Float](repeating: 1, count: format.blockSize * 3)
            try bytes.withUnsafeBytes { bytes in
                let rows = UnsafeRawBufferPointer(rebasing: bytes[1...])
                try values.withUnsafeMutableBufferPointer { try type.dequantize(rows, into: $0) }
            }
            if pattern == 0 { #expect(values.allSatisfy { $0.magnitude < 1e-37 }) }
        }
    }

    @Test("sizes that do not belong together are refused")
    func mismatch() {
        var values = [Float](repeating: 0, count: 32)
        let bytes = [UInt8](repeating: 0, count: 36)
        for (byteCount, valueCount) in [(17, 32), (36, 32), (18, 31), (0, 32), (18, 0)] {
            #expect(
                throws: QuantizationError.sizeMismatch(.q4_0, bytes: byteCount, values: valueCount)
            ) {
                try bytes.withUnsafeBytes { bytes in
                    try values.withUnsafeMutableBufferPointer { values in
                        try TensorType.q4_0.dequantize(
                            UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]),
                            into: UnsafeMutableBufferPointer(rebasing: values[..<valueCount]))
                    }
                }
            }
        }
    }

    @Test("types without code are refused")
    func unsupported() {
        let none = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        let floats = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
        #expect(throws: QuantizationError.cannotDequantize(.iq2_XXS)) {
            try TensorType.iq2_XXS.dequantize(UnsafeRawBufferPointer(none), into: floats)
        }
        #expect(throws: QuantizationError.cannotQuantize(.iq2_XS)) {
            try TensorType.iq2_XS.quantize(UnsafeBufferPointer(floats), into: none)
        }
        #expect(throws: Never.self) {
            try TensorType.q4_0.dequantize(UnsafeRawBufferPointer(none), into: floats)
        }
    }

    @Test("half precision both ways, every bit pattern")
    func halves() {
        for bits in 0...UInt16.max {
            let value = Float(halfBits: bits)
            let half = Float16(bitPattern: bits)
            if half.isNaN {
                #expect(value.isNaN)
                #expect(Float16(bitPattern: value.halfBits).isNaN)
            } else {
                #expect(value == Float(half))
                #expect(value.halfBits == bits)
            }
        }
    }
}
