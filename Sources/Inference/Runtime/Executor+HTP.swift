import HTPDevice
import Models

extension Executor {
    /// Runs a segment of products as one message to a DSP.
    func runBatch(_ batch: Batch, _ segment: Plan.Segment, on device: HTPDevice, _ step: Step) throws {
        var sources: [UnsafePointer<Float>] = []
        var results: [UnsafeMutablePointer<Float>] = []
        var source: Int?
        var rows = 0, multiplyAdds = 0
        for index in segment.operations {
            guard case .matmul(let weight, let input, let output) = graph.operations[index].kind else {
                continue
            }
            rows = self.rows(input, step)
            if source != input {
                sources.append(UnsafePointer(pointer(input)))
                guard isFinite(input, rows: rows) else {
                    throw RuntimeError(
                        "\(weights.path): the input of product \(graph.operations[index].name) holds values that are "
                            + "not numbers; the file is damaged or not supported")
                }
            }
            source = input
            results.append(pointer(output))
            multiplyAdds += rows * graph.weights[weight].rows * graph.weights[weight].columns
        }
        // Without wanted logits the last products have no rows.
        guard rows > 0 else { return }
        let report = try device.run(batch, rows: rows, sources: sources, results: results)
        counters.products += results.count
        counters.multiplyAdds += multiplyAdds
        counters.offloadedProducts += report.products
        counters.offloadedMultiplyAdds += report.multiplyAdds
        counters.messages += 1
        counters.bytesToDSP += report.bytesToDSP
        counters.bytesFromDSP += report.bytesFromDSP
        counters.dspMicroseconds += report.microseconds
    }

    /// Whether all values of a tensor are finite: the DSP program's quantised activations can be nothing else, so
    /// it would compute on with whatever they become.
    private func isFinite(_ tensor: Int, rows: Int) -> Bool {
        // The largest magnitude, as the bits of a float order; a loop that the compiler turns into vectors.
        let bits = UnsafeRawPointer(pointer(tensor))
        var largest: UInt32 = 0
        for index in 0..<rows * graph.tensors[tensor].width {
            largest = max(largest, bits.load(fromByteOffset: 4 * index, as: UInt32.self) & 0x7fff_ffff)
        }
        return largest < Float.infinity.bitPattern
    }
}
