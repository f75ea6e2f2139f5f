import GGUF
import HTPDevice
import Models

/// Which device runs each operation of a graph, in which groups, and what travels between them.
package struct Plan: Sendable {
    /// Where an operation runs.
    package enum Place: Hashable, Sendable {
        case cpu
        /// A DSP session, by its index among the devices.
        case htp(Int)
    }

    /// Operations that run on one device without going back to the host in between.
    package struct Segment: Sendable {
        package var place: Place
        /// Indices of the graph's operations.
        package var operations: Range<Int>
        /// Tensors that come from elsewhere, in the order in which they are needed.
        package internal(set) var inputs: [Int] = []
        /// Tensors that are needed elsewhere.
        package internal(set) var outputs: [Int] = []
    }

    package let places: [Place]
    package let segments: [Segment]
    /// Operations that stay on the CPU though there is a DSP, and why.
    package let refusals: [(operation: Int, reason: String)]

    /// Places what a DSP session can compute on the one that holds its part of the model.
    ///
    /// - Parameters:
    ///   - reasons: why a DSP cannot run each operation, or should not; nil where it can.
    ///   - partOfOperation: the part that each operation belongs to.
    init(
        _ graph: Graph, _ reasons: [String?], _ partOfOperation: [Int], _ split: LayerSplit, sessionCount: Int
    ) {
        var places: [Place] = []
        var refusals: [(Int, String)] = []
        for index in graph.operations.indices {
            let session = split.sessions[partOfOperation[index]]
            if let session, reasons[index] == nil {
                places.append(.htp(session))
                continue
            }
            places.append(.cpu)
            guard sessionCount > 0 else { continue }
            refusals.append((index, reasons[index] ?? "the memory of the sessions has no room for it"))
        }
        self.places = places
        self.refusals = refusals
        segments = Self.segments(graph, places)
    }

    /// The same with neighbours that have one reason together.
    package var refusedRanges: [(operations: Range<Int>, reason: String)] {
        refusals.reduce(into: []) { ranges, refusal in
            if let last = ranges.last, last.operations.upperBound == refusal.operation,
                last.reason == refusal.reason
            {
                ranges[ranges.count - 1].operations = last.operations.lowerBound..<refusal.operation + 1
            } else {
                ranges.append((refusal.operation..<refusal.operation + 1, refusal.reason))
            }
        }
    }

    /// Products that stay on the CPU though there is a DSP.
    package func refusedProducts(_ graph: Graph) -> [(name: String, reason: String)] {
        refusals.compactMap { index, reason in
            guard graph.operations[index].isProduct else { return nil }
            return (graph.operations[index].name, reason)
        }
    }

    /// Indices of the operations in a place.
    func operations(on place: Place) -> [Int] {
        places.indices.filter { places[$0] == place }
    }

    /// Why a DSP cannot run an operation, or should not.
    static func refusal(_ operation: Operation, _ graph: Graph, _ file: GGUFFile) throws -> String? {
        let shape = graph.shape
        switch operation.kind {
        case .embed:
            return "a row for each token is less to send than the table is to keep"
        case .matmul(let weight, _, _), .matmulExperts(let weight, _, _, _):
            let matrix = graph.weights[weight]
            let type = try file.requiredTensor(named: matrix.name).type
            return WeightMatrix.refusal(rows: matrix.rows, columns: matrix.columns, type)
                ?? experts(operation, graph)
        case .addExpertBiases, .route, .mix:
            return experts(operation, graph)
        case .rotate, .store, .attention:
            guard max(shape.keySize, shape.valueSize) <= BatchLayout.headSizeMax,
                shape.heads <= BatchLayout.headsMax
            else {
                return "\(shape.heads) heads of \(shape.keySize) and \(shape.valueSize) elements: "
                    + "the DSP program computes \(BatchLayout.headsMax) of \(BatchLayout.headSizeMax)"
            }
            return nil
        case .rmsNorm(let input, let weight, _, _):
            let groups = graph.tensors[input].width / graph.weights[weight].columns
            guard groups <= BatchLayout.headsMax else {
                return "norms of \(groups) heads: the DSP program computes \(BatchLayout.headsMax)"
            }
            return nil
        case .addBias, .add, .activate, .scale, .selectOutputs:
            return nil
        }
    }

    /// Why a DSP cannot compute a part of a mixture of experts.
    private static func experts(_ operation: Operation, _ graph: Graph) -> String? {
        let (experts, used): (Int, Int)
        switch operation.kind {
        case .route(_, let routing, _): (experts, used) = (routing.experts, routing.count)
        case .matmulExperts(let weight, _, let routing, _), .addExpertBiases(_, let weight, let routing):
            // A bias's rows are the experts.
            let bank = graph.weights[weight]
            (experts, used) = (
                bank.isVector ? bank.rows : bank.experts, graph.tensors[routing].width / 2
            )
        case .mix(_, let routing, _): (experts, used) = (1, graph.tensors[routing].width / 2)
        default: return nil
        }
        guard experts <= BatchLayout.expertsMax, used <= BatchLayout.chosenExpertsMax else {
            return "\(used) of \(experts) experts: the DSP program computes "
                + "\(BatchLayout.chosenExpertsMax) of \(BatchLayout.expertsMax)"
        }
        return nil
    }

    /// Neighbours on the same device make a segment.
    private static func segments(_ graph: Graph, _ places: [Place]) -> [Segment] {
        var segments: [Segment] = []
        for (index, place) in places.enumerated() {
            if let last = segments.indices.last, segments[last].place == place {
                segments[last].operations = segments[last].operations.lowerBound..<index + 1
            } else {
                segments.append(Segment(place: place, operations: index..<index + 1))
            }
        }
        connect(&segments, graph)
        return segments
    }

    /// Finds what travels: a tensor is where it was last written, and where it was sent since.
    private static func connect(_ segments: inout [Segment], _ graph: Graph) {
        var writers: [Int: Int] = [:]
        var holders: [Int: Set<Place>] = [:]
        func isNeeded(_ tensor: Int, at place: Place, in segments: inout [Segment]) -> Bool {
            guard let writer = writers[tensor], holders[tensor]?.contains(place) == false else {
                return false
            }
            holders[tensor]?.insert(place)
            if !segments[writer].outputs.contains(tensor) { segments[writer].outputs.append(tensor) }
            return true
        }
        for index in segments.indices {
            let place = segments[index].place
            for operation in graph.operations[segments[index].operations] {
                for tensor in operation.inputs where isNeeded(tensor, at: place, in: &segments) {
                    segments[index].inputs.append(tensor)
                }
                if let output = operation.output {
                    writers[output] = index
                    holders[output] = [place]
                }
            }
        }
        _ = isNeeded(graph.logits, at: .cpu, in: &segments)
    }
}

extension WeightMatrix {
    /// Why the DSP program cannot multiply a tensor, or `nil` where it can.
    package static func refusal(_ tensor: TensorInfo) -> String? {
        refusal(rows: tensor.rowCount, columns: tensor.rowLength, tensor.type)
    }

    /// The same for a part of a tensor.
    package static func refusal(rows: Int, columns: Int, _ type: TensorType) -> String? {
        guard format(of: type) != nil else {
            return "the DSP program has no tiles for \(type) weights"
        }
        guard supports(rows: rows, columns: columns) else {
            return "\(rows) × \(columns) does not fit the DSP program's tiles"
        }
        return nil
    }

    /// The repackable format of a tensor type.
    package static func format(of type: TensorType) -> Format? {
        switch type {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q4_0: .q4_0
        case .q4_1: .q4_1
        case .q5_0: .q5_0
        case .q5_1: .q5_1
        case .q8_0: .q8_0
        case .q2_K: .q2_K
        case .q3_K: .q3_K
        case .q4_K: .q4_K
        case .q5_K: .q5_K
        case .q6_K: .q6_K
        case .iq4_NL: .iq4_NL
        case .mxfp4: .mxfp4
        case .tq1_0: .tq1_0
        case .tq2_0: .tq2_0
        case .i2_S: .i2_S
        case .iq2_BN: .iq2_BN
        default: nil
        }
    }
}
