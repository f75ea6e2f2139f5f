import Glibc
import Models

/// Cosines and sines of the rotary embedding for the positions of a step; every layer and head uses the same.
struct RotationTable {
    /// Pairs in a head.
    let pairs: Int
    /// For each position, for each pair: cosine, sine.
    private let values: [Float]

    init(_ rotation: Rotation, positions: Range<Int>) {
        pairs = rotation.frequencies.count
        var values: [Float] = []
        values.reserveCapacity(positions.count * pairs * 2)
        for position in positions {
            for frequency in rotation.frequencies {
                // Angles reach thousands of turns: single precision would lose them.
                let angle = Double(position) * frequency
                values.append(Float(cos(angle)))
                values.append(Float(sin(angle)))
            }
        }
        self.values = values
    }

    /// Writes the table as a DSP reads it; returns the number of bytes.
    func write(to memory: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        values.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + bytes.count]).copyMemory(
                from: bytes)
            return bytes.count
        }
    }

    /// Turns one head of the row's token in place.
    func rotate(_ head: UnsafeMutablePointer<Float>, row: Int) {
        values.withUnsafeBufferPointer { values in
            for pair in 0..<pairs {
                let (cosine, sine) = (values[2 * (row * pairs + pair)], values[2 * (row * pairs + pair) + 1])
                let (x, y) = (head[2 * pair], head[2 * pair + 1])
                head[2 * pair] = x * cosine - y * sine
                head[2 * pair + 1] = x * sine + y * cosine
            }
        }
    }
}
