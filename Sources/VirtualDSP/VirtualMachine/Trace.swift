import CLinux
import FastRPCKernel
import Glibc
import SharedMemory
import Synchronization
import VirtualKernel

/// Writes the emulated calls as JSON lines, in the order in which they end; `sequence` is the order in which
/// they began.
///
/// What two programs that do the same must agree on is there: requests, sizes, flags. Addresses are left out, and
/// a descriptor is `"fd"` or its negative number.
package final class Trace: Sendable {
    /// A call that has begun.
    package struct Entry: Sendable {
        fileprivate var sequence: Int
        fileprivate var line: JSONLine
        fileprivate var request: IOControlRequest?
        fileprivate var argument: UInt64 = 0
    }

    private struct State {
        var sequence = 0
        var pending: [Int: Entry] = [:]
        var isFinished = false
    }

    private let file: CInt
    private let state = Mutex(State())

    /// Creates the file, or empties it.
    package init(path: String) throws(SystemError) {
        file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw SystemError(errno) }
    }

    deinit { close(file) }

    package func began(_ caller: any Caller, open path: String, _ flags: CInt) -> Entry {
        begin(caller) { line in
            line.add("call", "open")
            line.add("node", path)
            line.add("flags", hexadecimal: UInt64(UInt32(bitPattern: flags)))
        }
    }

    package func began(
        _ caller: any Caller, ioctl request: IOControlRequest, _ argument: UInt64, on node: String
    ) -> Entry {
        let arguments = RequestDecoder(caller, request, argument).arguments()
        var entry = begin(caller) { line in
            line.add("call", "ioctl")
            line.add("node", node)
            line.add("request", RequestDecoder.name(request))
            if let arguments { line.add("arguments", arguments) }
        }
        entry.request = request
        entry.argument = argument
        return entry
    }

    /// Ends a call that returned a value. `caller` still waits, so that what was written for it can be read.
    package func ended(_ entry: Entry?, value: Int, _ caller: (any Caller)? = nil) {
        guard var entry else { return }
        if let caller, let request = entry.request,
            let results = RequestDecoder(caller, request, entry.argument).results()
        {
            entry.line.add("results", results)
        }
        // Small values are counts and descriptors, others codes of the DSP.
        if value >= -1 && value < 1 << 20 {
            entry.line.add("result", entry.request == nil ? "fd" : "\(value)")
        } else {
            entry.line.add("result", hexadecimal: UInt64(UInt32(truncatingIfNeeded: value)))
        }
        finish(entry)
    }

    /// Ends a call that failed.
    package func ended(_ entry: Entry?, error: CInt) {
        guard var entry else { return }
        entry.line.add("error", String(cString: strerror(error)))
        entry.line.add("errno", number: Int(error))
        finish(entry)
    }

    /// The last duplicate of a node's descriptor was closed.
    package func closed(_ path: String) {
        state.withLock { state in
            state.sequence += 1
            var line = JSONLine()
            line.add("sequence", number: state.sequence)
            line.add("call", "close")
            line.add("node", path)
            write(line)
        }
    }

    /// Writes the calls that never ended.
    package func finish() {
        state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            for var entry in state.pending.values.sorted(by: { $0.sequence < $1.sequence }) {
                entry.line.add("error", "unfinished")
                write(entry.line)
            }
        }
    }

    private func begin(_ caller: any Caller, _ fill: (inout JSONLine) -> Void) -> Entry {
        let (process, thread) = (caller.process, caller.thread)
        return state.withLock { state in
            state.sequence += 1
            var line = JSONLine()
            line.add("sequence", number: state.sequence)
            line.add("process", number: Int(process))
            line.add("thread", number: Int(thread))
            fill(&line)
            let entry = Entry(sequence: state.sequence, line: line)
            state.pending[state.sequence] = entry
            return entry
        }
    }

    private func finish(_ entry: Entry) {
        state.withLock { state in
            guard state.pending.removeValue(forKey: entry.sequence) != nil, !state.isFinished else { return }
            write(entry.line)
        }
    }

    private func write(_ line: JSONLine) {
        let text = line.text + "\n"
        _ = Glibc.write(file, text, text.utf8.count)
    }
}

/// A JSON object on one line, its fields in the order in which they were added.
struct JSONLine: Sendable {
    private var fields: [String] = []

    var text: String { "{" + fields.joined(separator: ",") + "}" }

    mutating func add(_ name: String, _ text: String) {
        fields.append("\(Self.quoted(name)):\(Self.quoted(text))")
    }

    mutating func add(_ name: String, number: Int) {
        fields.append("\(Self.quoted(name)):\(number)")
    }

    mutating func add(_ name: String, hexadecimal number: UInt64) {
        add(name, "0x" + String(number, radix: 16))
    }

    mutating func add(_ name: String, _ object: JSONLine) {
        fields.append("\(Self.quoted(name)):\(object.text)")
    }

    mutating func add(_ name: String, _ objects: [JSONLine]) {
        fields.append("\(Self.quoted(name)):[\(objects.map(\.text).joined(separator: ","))]")
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
