import Models
import Runtime

extension LanguageModel {
    /// What runs where, in lines: the segments of the forward pass with what travels between them, the operations that
    /// stay on the CPU and why, and where prompt and generation run.
    public var planDescription: String {
        let (plan, graph) = (executor.plan, executor.graph)
        guard !executor.devices.isEmpty else { return "plan: everything on the CPU, for there is no DSP" }
        let messages = plan.segments.count { $0.place != .cpu }
        var lines = [
            "plan: \(plan.segments.count) segments, \(messages) message\(messages == 1 ? "" : "s") to DSPs for a token"
        ]
        for segment in plan.segments {
            let operations = graph.operations[segment.operations]
            let products = operations.count(where: \.isProduct)
            var line = "  \(name(of: segment.place)): \(range(operations)), \(operations.count) operations"
            if products > 0 { line += ", \(products) of them products" }
            func names(_ tensors: [Int]) -> String {
                tensors.map { graph.tensors[$0].name }.joined(separator: ", ")
            }
            if segment.place != .cpu {
                line += "; in: \(names(segment.inputs)); out: \(names(segment.outputs))"
            }
            lines.append(line)
        }
        for (index, reason) in plan.refusals {
            lines.append("  stays on the CPU: \(graph.operations[index].name): \(reason)")
        }
        lines.append(placementDescription)
        return lines.joined(separator: "\n")
    }

    private var placementDescription: String {
        func side(_ onDevices: Bool) -> String {
            onDevices ? executor.devices.map(\.name).joined(separator: ",") : "cpu"
        }
        var line =
            "placement \(placement.rawValue): prompt on \(side(executor.sides.promptOnDevices)), generation on "
            + side(executor.sides.generationOnDevices)
        if let report = executor.placementReport {
            func speeds(_ speeds: PlacementReport.Speeds) -> String {
                "\(rounded(speeds.cpu)) tokens/s on the CPU and \(rounded(speeds.devices)) on \(side(true))"
            }
            line +=
                " (measured: prompt of \(report.promptTokens) \(speeds(report.prompt)), generation "
                + speeds(report.generation) + ")"
        }
        return line
    }

    private func rounded(_ value: Double) -> String {
        value < 100 ? "\((value * 10).rounded() / 10)" : "\(Int(value.rounded()))"
    }

    private func name(of place: Plan.Place) -> String {
        switch place {
        case .cpu: "cpu"
        case .htp(let index): executor.devices[index].name
        }
    }

    private func range(_ operations: ArraySlice<Operation>) -> String {
        guard let first = operations.first, let last = operations.last else { return "nothing" }
        return operations.count == 1 ? first.name : "\(first.name) … \(last.name)"
    }
}
