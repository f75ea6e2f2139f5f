import HTPDevice
import Models

extension DeviceGraph {
    /// Writes what all segments of a step need: angles, and which rows' logits are wanted.
    ///
    /// - Returns: the number of bytes.
    func begin(_ step: Step) throws -> Int {
        var byteCount = 0
        try activations.withBytes(.write) { bytes in
            for (number, table) in angles.enumerated()
            where segments.values.contains(where: { $0.rotations.contains(number) }) {
                byteCount += step.rotations[number].write(to: bytes, at: table.offset)
            }
            if segments.values.contains(where: \.needsSelection) {
                for row in 0..<step.outputRows {
                    bytes.storeBytes(
                        of: Int32(step.firstOutput + row),
                        toByteOffset: selection.offset + row * selection.stride,
                        as: Int32.self)
                }
                byteCount += step.outputRows * selection.stride
            }
        }
        return byteCount
    }

    /// Runs a segment: one message to the DSP, or none where no row is wanted.
    ///
    /// - Parameter host: where the host keeps a tensor.
    func run(
        _ segment: Segment, _ step: Step, host: (Int) -> UnsafeMutablePointer<Float>
    ) throws -> (report: BatchReport, candidates: [Candidate]?)? {
        guard segment.hasTokenRows || step.outputRows > 0 else { return nil }
        var sent = 0, received = 0
        if !segment.inputs.isEmpty {
            try activations.withBytes(.write) { bytes in
                for tensor in segment.inputs {
                    let place = place(tensor, step)
                    UnsafeMutableRawBufferPointer(rebasing: bytes[place])
                        .copyMemory(from: UnsafeRawBufferPointer(start: host(tensor), count: place.count))
                    sent += place.count
                }
            }
        }
        let choosing = step.wantsCandidates ? segment.candidates : nil
        var report = try device.submit(
            choosing ?? segment.batch,
            BatchParameters(tokens: step.tokens.count, outputs: step.outputRows, position: step.position))
        let outputs = choosing == nil ? segment.outputs : segment.outputs.filter { $0 != graph.logits }
        var chosen: [Candidate]?
        if !outputs.isEmpty || choosing != nil {
            try activations.withBytes(.read) { bytes in
                if choosing != nil {
                    chosen = try readCandidates(UnsafeRawBufferPointer(bytes))
                    received += 2 * candidates.places.stride
                }
                for tensor in outputs {
                    let place = place(tensor, step)
                    UnsafeMutableRawBufferPointer(start: host(tensor), count: place.count)
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[place]))
                    received += place.count
                }
            }
        }
        report.bytesToDSP += sent
        report.bytesFromDSP += received
        return (report, chosen)
    }

    private func readCandidates(_ bytes: UnsafeRawBufferPointer) throws -> [Candidate] {
        try (0..<candidates.count).map { index in
            let place = bytes.load(fromByteOffset: candidates.places.offset + 4 * index, as: Int32.self)
            let value = bytes.load(fromByteOffset: candidates.values.offset + 4 * index, as: Float.self)
            // It becomes an index into the vocabulary.
            guard 0 <= place, place < graph.shape.vocabulary else {
                throw HTPError("\(device.name): token \(place) is none of \(graph.shape.vocabulary)")
            }
            return Candidate(token: place, logit: value)
        }
    }

    /// The bytes of a tensor's rows.
    private func place(_ tensor: Int, _ step: Step) -> Range<Int> {
        let rows = graph.tensors[tensor].rows == .outputs ? step.outputRows : step.tokens.count
        let start = memory.offsets[tensor] * MemoryLayout<Float>.size
        return start..<start + rows * graph.tensors[tensor].width * MemoryLayout<Float>.size
    }
}
