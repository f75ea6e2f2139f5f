import GGUF

/// 256 ternary weights: 48 bytes of five digits and 4 bytes of four, then a half-precision scale.
/// A byte is its digits as a fraction of 256 in base 3, the first digit leading. Digit n of bytes 0...31 are weights
/// 32·n + i, of bytes 32...47 160 + 16·n + i, of bytes 48...51 240 + 4·n + i. Value = scale × (digit - 1).
package enum TQ1_0: BlockwiseFormat {
    package static let type = TensorType.tq1_0
    package static let blockSize = 256
    package static let bytesPerBlock = 54

    package static func dequantizeBlock(_ block: UnsafeRawPointer, into values: UnsafeMutablePointer<Float>) {
        let scale = block.half(52)
        var output = values
        for (first, width, digits) in [(0, 32, 5), (32, 16, 5), (48, 4, 4)] {
            var power: UInt8 = 1
            for _ in 0..<digits {
                for i in 0..<width {
                    let rest = block.byte(first + i) &* power
                    output[i] = scale * Float((Int(rest) * 3) >> 8 - 1)
                }
                output += width
                power &*= 3
            }
        }
    }

    /// Digits as in ``TQ2_0``. A byte is the digits' number × 256 / 243, rounded up.
    package static func quantizeBlock(_ values: UnsafePointer<Float>, into block: UnsafeMutableRawPointer) {
        let scale = extreme(values, count: 256).magnitude
        let inverse = scale == 0 ? 0 : 1 / scale
        block.storeHalf(scale, at: 52)
        var input = values
        for (first, width, digits) in [(0, 32, 5), (32, 16, 5), (48, 4, 4)] {
            for i in 0..<width {
                var number: UInt32 = 0
                for digit in 0..<digits {
                    let value = input[digit * width + i] * inverse
                    number = number * 3 + (value >= 0.5 ? 2 : value <= -0.5 ? 0 : 1)
                }
                // The last of five digits is 0 where there are four.
                if digits == 4 { number *= 3 }
                block.store(UInt8(truncatingIfNeeded: (number * 256 + 242) / 243), at: first + i)
            }
            input += digits * width
        }
    }
}
