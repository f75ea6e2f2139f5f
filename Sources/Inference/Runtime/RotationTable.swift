import CPUKernels
import Glibc
import Models

/// Cosines and sines of a rotary embedding for the positions of a step; layers and heads share them.
struct RotationTable {
    /// Pairs in a head.
    let pairs: Int
    private let pairing: Rotation.Pairing
    /// For each position, for each pair: cosine, sine.
    private let values: [Float]

    /// - Parameter contextLength: of the cache, not the number of tokens in it: the frequencies may depend on it.
    init(_ rotation: Rotation, positions: Range<Int>, contextLength: Int) {
        var frequencies = rotation.frequencies
        if let long = rotation.long, contextLength > long.contextLength { frequencies = long.frequencies }
        pairs = frequencies.count
        pairing = rotation.pairing
        var values: [Float] = []
        values.reserveCapacity(positions.count * pairs * 2)
        for position in positions {
            var magnitude = rotation.magnitude
            if let growth = rotation.growth {
                magnitude *= 1 + growth.share * log(Double(1 + position / growth.contextLength))
            }
            for frequency in frequencies {
                // Angles reach thousands of turns: single precision would lose them.
                let angle = Double(position) * frequency
                values.append(Float(cos(angle) * magnitude))
                values.append(Float(sin(angle) * magnitude))
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

    /// Turns the heads of the row's token in place.
    func rotate(
        _ head: UnsafeMutablePointer<Float>, heads: Int, size: Int, row: Int,
        _ kernels: cpu_activation_kernels
    ) {
        values.withUnsafeBufferPointer { values in
            let turns = values.baseAddress.map { $0 + 2 * row * pairs }
            switch pairing {
            case .halves: kernels.rotate_halves(head, heads, size, turns, pairs)
            case .neighbours: kernels.rotate_neighbours(head, heads, size, turns, pairs)
            }
        }
    }
}
