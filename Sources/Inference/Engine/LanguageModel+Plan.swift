import Models
import Runtime

extension LanguageModel {
    /// What runs where, in lines: the segments of the forward pass with what travels between them, the operations that
    /// stay on the CPU and why, what memory sessions need, and where prompt and generation run.
    public var planDescription: String {
        Self.describe(executor.plan, executor.memoryPlan, executor.graph, executor.devices.map(\.name)) + "\n"
            + placementDescription
    }

    /// A plan in lines; names are those of the sessions.
    static func describe(_ plan: Plan, _ memory: MemoryPlan, _ graph: Graph, _ names: [String]) -> String {
        guard !memory.sessions.isEmpty else {
            return "plan: everything on the CPU\n  cache: \(memory.cache)"
        }
        let messages = plan.segments.count { $0.place != .cpu }
        var lines = [
            "plan: \(plan.segments.count) segments, \(messages) message\(messages == 1 ? "" : "s") to DSPs for a token"
        ]
        func name(_ place: Plan.Place) -> String {
            switch place {
            case .cpu: "cpu"
            case .htp(let index): names[index]
            }
        }
        for segment in plan.segments {
            let operations = graph.operations[segment.operations]
            let products = operations.count(where: \.isProduct)
            var line = "  \(name(segment.place)): \(range(operations)), \(operations.count) operations"
            if products > 0 { line += ", \(products) of them products" }
            func names(_ tensors: [Int]) -> String {
                tensors.map { graph.tensors[$0].name }.joined(separator: ", ")
            }
            if segment.place != .cpu {
                line += "; in: \(names(segment.inputs)); out: \(names(segment.outputs))"
            }
            lines.append(line)
        }
        for refusal in plan.refusedRanges {
            lines.append(
                "  stays on the CPU: \(range(graph.operations[refusal.operations])): \(refusal.reason)")
        }
        lines.append("  cache: \(memory.cache)")
        for (name, session) in zip(names, memory.sessions) { lines.append(describe(session, name, graph)) }
        if !memory.homeless.isEmpty {
            lines.append(
                "  no room in any session: \(describe(parts: memory.homeless, graph)); "
                    + "a smaller context (-c) or batch (-b) takes less")
        }
        return lines.joined(separator: "\n")
    }

    private static func describe(_ session: MemoryPlan.Session, _ name: String, _ graph: Graph) -> String {
        var line = "  \(name): "
        if session.parts.isEmpty {
            line += "nothing"
        } else {
            line += describe(parts: session.parts, graph)
        }
        line +=
            ": model \(megabytes(session.modelBytes)), context \(megabytes(session.contextBytes)), "
            + "compute \(megabytes(session.computeBytes))"
        if let memory = session.memory {
            let left = memory.freeByteCount - session.byteCount
            line +=
                " of \(megabytes(memory.freeByteCount)) free (\(megabytes(memory.totalByteCount)) in all), "
                + "\(megabytes(max(left, 0))) left"
        }
        return line
    }

    /// Such as "layers 0 to 7 and the output".
    private static func describe(parts: [Int], _ graph: Graph) -> String {
        let layers = parts.filter { $0 < graph.shape.layers }
        var names: [String] = []
        if let first = layers.first, let last = layers.last {
            if first == last {
                names.append("layer \(first)")
            } else if last - first == layers.count - 1 {
                names.append("layers \(first) to \(last)")
            } else {
                names.append("layers " + layers.map(String.init).joined(separator: ", "))
            }
        }
        if parts.contains(graph.shape.layers) { names.append("the output") }
        return names.joined(separator: " and ")
    }

    private static func megabytes(_ bytes: Int) -> String {
        let tenths = (bytes + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10) MB"
    }

    /// On which sides prompt and generation run, and what was measured to decide it.
    public var placementDescription: String {
        let devices = executor.devices.map(\.name).joined(separator: ",")
        func side(_ onDevices: Bool) -> String { onDevices && !devices.isEmpty ? devices : "cpu" }
        let sides = executor.sides
        let generation = "generation on \(side(sides.generationOnDevices))"
        guard let report = executor.placementReport else {
            let prompt = side(sides.usesDevices(in: .prompt, tokens: 1))
            return "placement \(placement.rawValue): prompt on \(prompt), \(generation)"
        }
        func speeds(_ speeds: PlacementReport.Speeds) -> String {
            "\(rounded(speeds.cpu)) tokens/s on the CPU, \(rounded(speeds.devices)) on \(devices)"
        }
        let prompts = report.prompts.map {
            "prompt of \($0.tokens) on \(side($0.devices > $0.cpu)) (\(speeds($0)))"
        }
        let origin = report.isRemembered ? "measured at an earlier load" : "measured"
        return
            "placement \(placement.rawValue), \(origin): "
            + (prompts + ["\(generation) (\(speeds(report.generation)))"]).joined(separator: "; ")
    }

    private func rounded(_ value: Double) -> String {
        value < 100 ? "\((value * 10).rounded() / 10)" : "\(Int(value.rounded()))"
    }

    private static func range(_ operations: ArraySlice<Operation>) -> String {
        guard let first = operations.first, let last = operations.last else { return "nothing" }
        return operations.count == 1 ? first.name : "\(first.name) … \(last.name)"
    }
}
