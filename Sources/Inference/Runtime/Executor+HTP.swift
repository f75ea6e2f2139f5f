import HTPDevice
import Models

extension Executor {
    /// Runs a segment as one message to a DSP.
    func run(_ segment: DeviceGraph.Segment, onDevice index: Int, _ step: Step) throws {
        for tensor in segment.inputs where !isFinite(tensor, rows: rows(tensor, step)) {
            throw RuntimeError(
                "\(weights.path): \(graph.tensors[tensor].name) holds values that are not numbers; "
                    + "the file is damaged or not supported")
        }
        let report: BatchReport
        do {
            guard let done = try deviceGraphs[index].run(segment, step, host: pointer) else { return }
            report = done.report
            candidates = done.candidates ?? candidates
        } catch let interruption as Interruption {
            throw interruption
        } catch {
            throw DeviceFailure(device: index, error: error)
        }
        let products = segment.tokenWork.products + (step.outputRows > 0 ? segment.outputWork.products : 0)
        counters.products += products
        counters.offloadedProducts += products
        counters.multiplyAdds +=
            step.tokens.count * segment.tokenWork.multiplyAdds
            + step.outputRows * segment.outputWork.multiplyAdds
        counters.offloadedMultiplyAdds += report.multiplyAdds
        counters.messages += 1
        counters.bytesToDSP += report.bytesToDSP
        counters.bytesFromDSP += report.bytesFromDSP
        counters.dspMicroseconds += report.microseconds
    }

    /// Whether all values of a tensor are finite: the DSP program's quantised activations can be nothing else, so it
    /// would compute on with whatever they become.
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
