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
            if source != input { sources.append(UnsafePointer(pointer(input))) }
            source = input
            results.append(pointer(output))
            rows = self.rows(input, step)
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
}
