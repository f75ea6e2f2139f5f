import HTPDevice
import Models

extension Executor {
    /// Runs a segment as one message to a DSP.
    func run(_ segment: DeviceGraph.Segment, onDevice index: Int, _ step: Step) throws(DeviceFailure) {
        let report: BatchReport
        do {
            guard let done = try deviceGraphs[index].run(segment, step, host: pointer) else { return }
            report = done
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
}
