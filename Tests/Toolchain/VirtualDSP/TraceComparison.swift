import Foundation

/// What a program asked of the FastRPC driver, reduced to what the protocol fixes, and how two programs that did
/// the same differ.
///
/// Reduced means: only the driver's requests, from the creation of the process on; in the order in which they
/// began, separately for the listener's thread and for all others; handles that the DSP gave out numbered in the
/// order of their use; waiting as one step, however often it was woken; the signals of message queues as one step,
/// as they are sent only when the other side sleeps.
struct TraceComparison {
    /// Who makes a request. Between roles the order is chance.
    enum Role: String, CaseIterable {
        case listener, client
        /// `dspqueue_rpc.wait_signal` and `.signal`, by whatever thread.
        case queueWaits, queueSignals
    }

    /// One request.
    struct Step: Hashable, CustomStringConvertible {
        /// The request and, of calls, handle and scalars.
        var name: String
        /// What it was asked with, by field.
        var arguments: [String: String]
        /// What it returned.
        var result: String

        var description: String {
            let fields = arguments.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            return "\(name) (\(fields.joined(separator: ", "))) = \(result)"
        }
    }

    /// Where two traces part.
    struct Difference: Hashable, CustomStringConvertible {
        var role: Role
        /// What only the first or only the second has, or, with both, the fields in which they differ.
        var first: Step?
        var second: Step?
        /// The fields in which they differ.
        var fields: [String] = []

        /// Whether one of the two has a step of this name that the other lacks.
        func isOneSided(_ name: String) -> Bool {
            fields.isEmpty && (first ?? second)?.name == name
        }

        var description: String {
            switch (first, second) {
            case (let step?, nil): "\(role.rawValue): only the first: \(step)"
            case (nil, let step?): "\(role.rawValue): only the second: \(step)"
            default:
                "\(role.rawValue): \(fields.joined(separator: ", ")): \(first.map { "\($0)" } ?? "-")"
                    + " and \(second.map { "\($0)" } ?? "-")"
            }
        }
    }

    /// A difference that the protocol allows.
    struct Allowance: Sendable {
        var name: String
        var reason: String
        /// Whether the step must be in both traces, only at another place.
        var isMove = false
        var covers: @Sendable (Difference) -> Bool
    }

    /// What the protocol leaves open.
    static let allowances: [Allowance] = [
        Allowance(
            name: "capability questions",
            reason: "what a client wants to know of a DSP, and when, is its own affair"
        ) { $0.isOneSided("FASTRPC_IOCTL_GET_DSP_INFO") },
        Allowance(
            name: "thread_exit",
            reason: "adsp_current_process1.thread_exit is a courtesy: the DSP may forget the thread's stack"
        ) { $0.isOneSided("INVOKE process 0x3000000") },
        Allowance(
            name: "close of the last handle",
            reason: "libcdsprpc leaves it to the end of the process, which it asks for right after"
        ) { $0.first == nil && $0.isOneSided("INVOKE remotectl1 0x3010200") },
        Allowance(
            name: "get_in_bufs2",
            reason: "a listener with room enough gets a call at once; libcdsprpc begins without any room"
        ) { $0.isOneSided("INVOKE listener 0x7010200") },
        Allowance(
            name: "end of all queues",
            reason: "libcdsprpc takes down what queues share with the last of them, we with the session",
            isMove: true
        ) { $0.isOneSided("INVOKE module 2 0x7000000") },
        Allowance(
            name: "length within a page",
            reason: "the driver maps whole dma-bufs, and their sizes are multiples of a page"
        ) { difference in
            guard difference.fields == ["length"],
                let lengths = [difference.first, difference.second].map({ $0?.arguments["length"] })
                    as? [String]
            else { return false }
            let pages = lengths.map { ((Int($0.dropFirst(2), radix: 16) ?? 0) + 4095) / 4096 }
            return pages[0] == pages[1]
        },
        Allowance(
            name: "session in the URI",
            reason: "libcdsprpc needs &_session= to tell its sessions apart; the DSP sees one process"
        ) { $0.first?.name == "INVOKE remotectl1 0x2020200" && $0.fields == ["buffer 1 length"] },
        Allowance(
            name: "room for the reason",
            reason: "remotectl writes the reason of a failure into as many bytes as the client has"
        ) { difference in
            ["INVOKE remotectl1 0x2020200", "INVOKE remotectl1 0x3010200"].contains(difference.first?.name)
                && difference.fields.allSatisfy { ["buffer 2 length", "buffer 3 length"].contains($0) }
        },
    ]

    /// All differences, in order; those that an allowance covers and those that none does.
    private(set) var allowed: [(difference: Difference, allowance: Allowance)] = []
    private(set) var unexplained: [Difference] = []

    /// Compares two traces of `virtual-dsp run --trace`, the first of a program that uses libcdsprpc.
    init(_ first: String, _ second: String) throws {
        let steps = (try Self.steps(first), try Self.steps(second))
        for role in Role.allCases {
            for difference in Self.align(steps.0[role] ?? [], steps.1[role] ?? [], role) {
                if let allowance = Self.allowances.first(where: { $0.covers(difference) }) {
                    allowed.append((difference, allowance))
                } else {
                    unexplained.append(difference)
                }
            }
        }
        for allowance in Self.allowances where allowance.isMove {
            let moves = allowed.filter { $0.allowance.name == allowance.name }.map(\.difference)
            guard moves.count(where: { $0.second == nil }) != moves.count(where: { $0.first == nil }) else {
                continue
            }
            allowed.removeAll { $0.allowance.name == allowance.name }
            unexplained += moves
        }
    }

    /// A trace, reduced.
    static func steps(_ trace: String) throws -> [Role: [Step]] {
        let lines = try trace.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        let calls =
            lines
            .filter {
                ($0["call"] as? String) == "ioctl"
                    && ($0["node"] as? String)?.hasPrefix("/dev/fastrpc-") == true
            }
            .sorted { ($0["sequence"] as? Int ?? 0) < ($1["sequence"] as? Int ?? 0) }
            .drop { ($0["request"] as? String) != "FASTRPC_IOCTL_INIT_CREATE" }
        let listeners = Set(calls.filter { isListening($0) }.compactMap { $0["thread"] as? Int })

        var steps: [Role: [Step]] = [:]
        var modules: [String: String] = [:]
        for call in calls {
            let step = step(call, &modules)
            var role = listeners.contains(call["thread"] as? Int ?? 0) ? Role.listener : .client
            if step.name.hasPrefix("INVOKE module"), let suffix = step.name.split(separator: " ").last {
                if suffix == "0x6000100" { role = .queueWaits }
                if suffix == "0x8000000" { role = .queueSignals }
            }
            if role == .queueWaits || role == .queueSignals, let last = steps[role]?.last,
                last.name == step.name
            {
                steps[role] = [step]
                continue
            }
            if step.name == waiting, let place = waitingPlace(steps[role] ?? []) {
                // Woken for one more call of the DSP: the last answer is the one that ends it.
                steps[role]?[place].result = step.result
                continue
            }
            steps[role, default: []].append(step)
        }
        return steps
    }

    /// `adsp_listener1.next2`
    private static let waiting = "INVOKE listener 0x6020200"

    /// The step that one more waiting belongs to: the last one, unless something other than fetching the rest of
    /// a call (`get_in_bufs2`) came after it.
    private static func waitingPlace(_ steps: [Step]) -> Int? {
        guard let place = steps.lastIndex(where: { $0.name != "INVOKE listener 0x7010200" }) else {
            return nil
        }
        return steps[place].name == waiting ? place : nil
    }

    private static func isListening(_ call: [String: Any]) -> Bool {
        let arguments = call["arguments"] as? [String: Any]
        return arguments?["handle"] as? String == "0x7" && arguments?["scalars"] as? String == "0x6020200"
    }

    private static func step(_ call: [String: Any], _ modules: inout [String: String]) -> Step {
        var arguments = call["arguments"] as? [String: Any] ?? [:]
        var step = Step(name: call["request"] as? String ?? "?", arguments: [:], result: "")
        step.result = call["error"] as? String ?? call["result"] as? String ?? "?"
        if step.name == "FASTRPC_IOCTL_INVOKE" {
            let handle = arguments.removeValue(forKey: "handle") as? String ?? "?"
            let scalars = arguments.removeValue(forKey: "scalars") as? String ?? "?"
            let names = ["0x4": "process", "0x7": "listener", "0x8": "remotectl1"]
            let target =
                names[handle]
                ?? {
                    if modules[handle] == nil { modules[handle] = "module \(modules.count + 1)" }
                    return modules[handle] ?? handle
                }()
            step.name = "INVOKE \(target) \(scalars)"
            // How much the listener has room for, and what it brings, is not fixed.
            if target == "listener" { arguments = [:] }
        }
        for (field, value) in arguments {
            if let buffers = value as? [[String: Any]] {
                for (index, buffer) in buffers.enumerated() {
                    for (name, value) in buffer { step.arguments["buffer \(index) \(name)"] = "\(value)" }
                }
            } else {
                step.arguments[field] = "\(value)"
            }
        }
        return step
    }

    /// The steps that both have, in an order that both have (longest common subsequence by name), and what lies
    /// between.
    private static func align(_ first: [Step], _ second: [Step], _ role: Role) -> [Difference] {
        var common = [[Int]](
            repeating: [Int](repeating: 0, count: second.count + 1), count: first.count + 1)
        for i in first.indices.reversed() {
            for j in second.indices.reversed() {
                common[i][j] =
                    first[i].name == second[j].name
                    ? common[i + 1][j + 1] + 1 : max(common[i + 1][j], common[i][j + 1])
            }
        }
        var differences: [Difference] = []
        var (i, j) = (0, 0)
        while i < first.count || j < second.count {
            if i < first.count, j < second.count, first[i].name == second[j].name {
                let fields = fields(first[i], second[j])
                if !fields.isEmpty {
                    differences.append(
                        Difference(role: role, first: first[i], second: second[j], fields: fields))
                }
                i += 1
                j += 1
            } else if j == second.count || i < first.count && common[i + 1][j] >= common[i][j + 1] {
                differences.append(Difference(role: role, first: first[i]))
                i += 1
            } else {
                differences.append(Difference(role: role, second: second[j]))
                j += 1
            }
        }
        return differences
    }

    private static func fields(_ first: Step, _ second: Step) -> [String] {
        let names = Set(first.arguments.keys).union(second.arguments.keys)
        return names.filter { first.arguments[$0] != second.arguments[$0] }.sorted()
            + (first.result == second.result ? [] : ["result"])
    }
}
