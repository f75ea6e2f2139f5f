import GGUF
import HTPDevice
import Models

/// Which device runs each operation of a graph, and in which groups.
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
    }

    package let places: [Place]
    package let segments: [Segment]
    /// Products that stay on the CPU though there is a DSP: the operation's name and the reason.
    package let refusals: [(name: String, reason: String)]

    /// Places every product that a DSP session can multiply on one; layers are spread over the sessions
    /// evenly and in order, and what follows the last layer goes with it.
    package init(_ graph: Graph, file: GGUFFile, deviceCount: Int) throws {
        var places: [Place] = []
        var refusals: [(String, String)] = []
        for operation in graph.operations {
            guard deviceCount > 0, case .matmul(let weight, _, _) = operation.kind else {
                places.append(.cpu)
                continue
            }
            let tensor = try file.requiredTensor(named: graph.weights[weight].name)
            if let reason = WeightMatrix.refusal(tensor) {
                refusals.append((operation.name, reason))
                places.append(.cpu)
            } else {
                let layer = operation.layer ?? graph.shape.layers - 1
                places.append(.htp(layer * deviceCount / max(graph.shape.layers, 1)))
            }
        }
        self.places = places
        self.refusals = refusals
        segments = Self.segments(graph, places)
    }

    /// Neighbours on the same device make a segment. A batch of products takes its sources from the host,
    /// so a product of another product's result begins a new one.
    private static func segments(_ graph: Graph, _ places: [Place]) -> [Segment] {
        var segments: [Segment] = []
        var written: Set<Int> = []
        for (index, operation) in graph.operations.enumerated() {
            let dependent = places[index] != .cpu && !written.isDisjoint(with: operation.inputs)
            if let last = segments.indices.last, segments[last].place == places[index], !dependent {
                segments[last].operations = segments[last].operations.lowerBound..<index + 1
            } else {
                segments.append(Segment(place: places[index], operations: index..<index + 1))
                written = []
            }
            if let output = operation.output { written.insert(output) }
        }
        return segments
    }
}

extension WeightMatrix {
    /// Why the DSP program cannot multiply a tensor, or `nil` where it can.
    package static func refusal(_ tensor: TensorInfo) -> String? {
        guard format(of: tensor.type) != nil else {
            return "the DSP program has no tiles for \(tensor.type) weights"
        }
        guard supports(rows: tensor.rowCount, columns: tensor.rowLength) else {
            return "\(tensor.rowCount) × \(tensor.rowLength) does not fit the DSP program's tiles"
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
