import Foundation
import HexagonIDL
import Testing

@Suite("Mutated inputs")
struct MutationTests {
    /// Inputs of one run. `HEXAGONRPC_IDL_MUTATIONS` sets another number; a million take 86 seconds of CPU
    /// time on x86-64.
    static let count =
        ProcessInfo.processInfo.environment["HEXAGONRPC_IDL_MUTATIONS"].flatMap(Int.init) ?? 200_000

    /// No single input may take more seconds of processor time.
    private static let deadline: TimeInterval = 60

    static func mutator() throws -> Mutator {
        var texts = [WorkedExamples.flat, WorkedExamples.nested] + SystemInterfaces.all
        let folder = Repository.root.appendingPathComponent("IDL")
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        where name.hasSuffix(".idl") {
            texts.append(try Repository.text("IDL/\(name)"))
        }
        texts += [
            "#ifndef G\n#define G\n#define N 4\n#if N >= 4 && !defined(H)\ntypedef octet t[N];\n#elif 0\n#else\n#endif\n#endif\n",
            "#include \"x.idl\"\nunion u switch(long) { case 1: long a; default: short b; };\nnative n;\n",
            "const long c = -(1 << 4) | 1;\nconst double d = 1.5e3 / 2.0;\nconst string s = \"a\\x41\";\ntypedef long t[c * c % 7];\n",
            "interface a;\ninterface b { const long N = 3; enum e { X, Y }; long m(in sequence<e, 3> p, rout string<5> q); };\ninterface d : b { async long k(in b::e x, rout sequence<octet> y); };\n",
        ]
        return Mutator(sources: texts.map(MutationSource.init))
    }

    /// What the workers are doing, for the watchdog.
    final class Progress: @unchecked Sendable {
        private let lock = NSLock()
        private var current: [Int: (number: UInt64, since: Date, processorTime: TimeInterval)] = [:]
        private(set) var slowest: (seconds: TimeInterval, number: UInt64) = (0, 0)
        private(set) var accepted = 0
        private(set) var problems: [String] = []
        private var isDone = false

        func begin(_ worker: Int, _ number: UInt64) {
            lock.withLock { current[worker] = (number, Date(), Self.processorTime) }
        }

        func end(_ worker: Int, accepted isAccepted: Bool, problem: String?) {
            lock.withLock {
                guard let job = current.removeValue(forKey: worker) else { return }
                let seconds = Self.processorTime - job.processorTime
                if seconds > slowest.seconds { slowest = (seconds, job.number) }
                if isAccepted { accepted += 1 }
                if let problem, problems.count < 20 { problems.append("input \(job.number): \(problem)") }
            }
        }

        /// Of the calling thread, in seconds.
        private static var processorTime: TimeInterval {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return TimeInterval(time.tv_sec) + TimeInterval(time.tv_nsec) / 1e9
        }

        func finish() { lock.withLock { isDone = true } }

        /// Ends the process if one input takes for ever, and says which.
        func watch() {
            Thread.detachNewThread {
                while true {
                    Thread.sleep(forTimeInterval: 1)
                    let stuck: UInt64? = self.lock.withLock {
                        self.current.values.first { Date().timeIntervalSince($0.since) > 60 }?.number
                    }
                    if let stuck { fatalError("the compiler hangs on the mutated input \(stuck)") }
                    if self.lock.withLock({ self.isDone }) { return }
                }
            }
        }
    }

    @Test("Damaged texts give errors with a position, soon, and never a trap")
    func mutations() throws {
        let mutator = try Self.mutator()
        let progress = Progress()
        progress.watch()
        let workers = max(1, min(8, ProcessInfo.processInfo.activeProcessorCount))
        let total = Self.count
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            var number = worker
            while number < total {
                progress.begin(worker, UInt64(number))
                let (accepted, problem) = Self.run(mutator.input(UInt64(number)), number)
                progress.end(worker, accepted: accepted, problem: problem)
                number += workers
            }
        }
        progress.finish()
        #expect(progress.problems.isEmpty, "\(progress.problems.joined(separator: "\n"))")
        #expect(
            progress.slowest.seconds < Self.deadline,
            "input \(progress.slowest.number) took \(progress.slowest.seconds) s")
        // Damage in comments and names goes unnoticed; most other damage does not.
        #expect(progress.accepted > total / 20 && progress.accepted < total / 2)
        print(
            "\(total) mutated inputs, \(progress.accepted) accepted, the slowest took "
                + "\(Int(progress.slowest.seconds * 1000)) ms (input \(progress.slowest.number))")
    }

    /// Returns whether the input was accepted, and what is wrong with how it was treated.
    private static func run(_ input: [UInt8], _ number: Int) -> (accepted: Bool, problem: String?) {
        do throws(IDLError) {
            let unit = try IDLCompiler { $0 == "x.idl" ? input : nil }.compile("x.idl")
            let isPlaced = unit.warnings.allSatisfy { $0.location.line > 0 && !$0.rule.isEmpty }
            if !Compatibility.check(old: unit, new: unit).isEmpty {
                return (true, "is not compatible with itself")
            }
            // The generators are slower than the compiler.
            if number % 8 == 0 {
                _ = try JSONDescription.generate(unit)
                _ = try? CHeader.generate(unit)
                if unit.interface != nil {
                    _ = try? CSkel.generate(unit)
                    _ = try? CStub.generate(unit)
                    _ = try? SwiftStub.generate(unit)
                }
            }
            return (true, isPlaced ? nil : "a warning without a position")
        } catch {
            let isPlaced = error.diagnostics.allSatisfy {
                $0.location.line > 0 && $0.location.column > 0 && !$0.message.isEmpty && $0.severity == .error
            }
            if error.diagnostics.isEmpty { return (false, "an error without a message") }
            if error.diagnostics.count > 21 { return (false, "too many errors") }
            return (false, isPlaced ? nil : "an error without a position: \(error)")
        }
    }

    /// Input that grows without bound if it is taken at its word.
    @Test("Bombs are refused soon", arguments: MutationTests.bombs)
    func bomb(_ bomb: Bomb) {
        let text = bomb.text
        let start = Date()
        let error = #expect(throws: IDLError.self) {
            try IDLCompiler { $0.hasSuffix("x.idl") ? Array(text.utf8) : nil }.compile("x.idl")
        }
        #expect(error?.diagnostics.allSatisfy { $0.location.line > 0 } == true)
        #expect(Date().timeIntervalSince(start) < Self.deadline)
    }

    struct Bomb: Sendable, CustomTestStringConvertible {
        var name: String
        var text: String

        init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }

        var testDescription: String { name }
    }

    static let bombs: [Bomb] = [
        Bomb(
            "macros that double",
            "#define a0 long long\n" + (1...40).map { "#define a\($0) a\($0 - 1) a\($0 - 1)\n" }.joined()
                + "a40 x;"
        ),
        Bomb(
            "macros that double nothing",
            "#define a0\n" + (1...60).map { "#define a\($0) a\($0 - 1) a\($0 - 1)\n" }.joined() + "a60 x;"
        ),
        Bomb("a file that includes itself twice", "#include \"x.idl\"\n#include \"x.idl\"\n"),
        Bomb(
            "a file that includes itself under other names",
            (0..<50).map { "#include \"a\($0)/x.idl\"\n" }.joined()
        ),
        Bomb("a sum without end", "const long c = " + String(repeating: "1+", count: 200_000) + "1;"),
        Bomb(
            "typedefs without end",
            "typedef long t0;" + (1...20_000).map { "typedef t\($0 - 1) t\($0);" }.joined()),
        Bomb(
            "interfaces without end",
            "interface i0 { long m0(); };"
                + (1...5000).map { "interface i\($0) : i\($0 - 1) { long m\($0)(); };" }.joined()),
        Bomb(
            "arrays of arrays",
            "typedef octet t0[1000];" + (1...20).map { "typedef t\($0 - 1) t\($0)[1000];" }.joined()
        ),
        Bomb("open modules", String(repeating: "module m { ", count: 100_000)),
        Bomb("open sequences", "typedef " + String(repeating: "sequence<", count: 100_000)),
        Bomb("open parentheses", "const long c = " + String(repeating: "(", count: 100_000)),
        Bomb("open conditionals", String(repeating: "#if 1\n", count: 100_000)),
        Bomb("a condition that nests", "#if " + String(repeating: "!", count: 100_000) + "1\n#endif\n"),
        Bomb("errors without end", String(repeating: "struct s {}; @ ", count: 100_000)),
        Bomb(
            "a name of many parts",
            "typedef " + Array(repeating: "a", count: 100_000).joined(separator: "::") + " t;"),
    ]
}
