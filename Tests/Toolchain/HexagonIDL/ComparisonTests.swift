import Foundation
import HexagonIDL
import TestSupport
import Testing

/// Our C stubs and skels against each other, and where it is there against those of the reference compiler.
///
/// `HEXAGONRPC_IDL_FILES` says how many random files are tried.
@Suite("Stubs and skels of random interfaces")
struct ComparisonTests {
    private static let count =
        ProcessInfo.processInfo.environment["HEXAGONRPC_IDL_FILES"].flatMap(UInt64.init) ?? 6

    private static func compile(_ path: String, includes: [String]) throws -> IDLUnit {
        try IDLCompiler(includePaths: includes) { path in
            FileManager.default.contents(atPath: path).map { Array($0) }
        }.compile(path)
    }

    /// Writes a random interface and the file that it includes.
    private static func write(_ idl: RandomIDL, to folder: String, main: String? = nil) throws {
        for sub in ["ours", "reference"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(sub)", withIntermediateDirectories: true)
        }
        try idl.base.write(toFile: folder + "/base.idl", atomically: true, encoding: .utf8)
        try (main ?? idl.main).write(toFile: folder + "/t.idl", atomically: true, encoding: .utf8)
    }

    /// Generates our C for both files; returns the second.
    private static func generate(_ folder: String, includes: [String]) throws -> IDLUnit {
        try PropertyRun.generate(try compile(folder + "/base.idl", includes: includes), to: folder + "/ours")
        let unit = try compile(folder + "/t.idl", includes: includes)
        try PropertyRun.generate(unit, to: folder + "/ours")
        return unit
    }

    @Test("Our stub and our skel", arguments: Toolchain.hostCompilers.prefix(1))
    func ours(compiler: String) throws {
        let folder = try TemporaryFolder()
        let run = try PropertyRun(compiler: compiler, folder: folder.path)
        for seed in 0..<Self.count {
            let idl = RandomIDL(seed: seed, nestsHandles: true)
            let files = folder.path("\(seed)")
            try Self.write(idl, to: files)
            let unit = try Self.generate(files, includes: [folder.path("shims")])
            try run.build(unit, "t", .ours, in: files + "/ours")
            let report = try run.run([files + "/ours"], rounds: 20, seed: seed)
            #expect(report.contains("differences 0"), "seed \(seed): \(report)")
            #expect(!report.contains("answered 0 "), "seed \(seed): \(report)\n\(idl.main)")
        }
    }

    /// Every compiler here with every warning, and the DSP's.
    @Test("Our C compiles without warnings")
    func warnings() throws {
        let hexagon = Toolchain.hexagonClang.map {
            [($0, ["--target=hexagon", "-mcpu=hexagonv68", "-ffreestanding"])]
        }
        let compilers = Toolchain.hostCompilers.map { ($0, [String]()) } + (hexagon ?? [])
        try #require(!compilers.isEmpty)
        let folder = try TemporaryFolder()
        _ = try PropertyRun(compiler: compilers[0].0, folder: folder.path)
        for seed in 100..<100 + Self.count {
            let files = folder.path("\(seed)")
            try Self.write(RandomIDL(seed: seed, nestsHandles: true), to: files)
            _ = try Self.generate(files, includes: [folder.path("shims")])
            for (compiler, target) in compilers {
                for part in ["stub", "skel"] {
                    let file = "\(files)/ours/t_\(part)"
                    try Toolchain.run(
                        compiler,
                        target + GeneratedCTests.warnings + GeneratedCTests.includes + [
                            "-O1", "-I\(files)/ours", "-c", file + ".c", "-o", file + ".o",
                        ])
                }
            }
        }
    }

    // MARK: With the reference compiler

    /// Requests, replies, random replies and damaged requests, of all four pairs of stub and skel.
    @Test("All pairs with the reference compiler's", .needsReferenceCompiler)
    func pairs() throws {
        let reference = try #require(ReferenceCompiler.found)
        let folder = try TemporaryFolder()
        let shims = folder.path("shims")
        let run = try PropertyRun(compiler: try #require(Toolchain.find("gcc")), folder: folder.path)
        var methods = 0
        for seed in 1000..<1000 + Self.count {
            let idl = RandomIDL(seed: seed)
            let files = folder.path("\(seed)")
            try Self.write(idl, to: files)
            let verdicts = ["base", "t"].map {
                reference.compile(
                    "\(files)/\($0).idl", includes: [shims, files], output: files + "/reference")
            }
            let result = Result { try Self.generate(files, includes: [shims]) }
            let verdict = verdicts.first { !$0.isAccepted } ?? verdicts[1]
            Self.judge(result, verdict, "seed \(seed)", idl.main)
            guard verdicts.allSatisfy(\.isAccepted), let unit = try? result.get(),
                let interface = unit.interface
            else { continue }
            try run.build(unit, "t", .ours, in: files + "/ours")
            try run.build(unit, interface.name, .reference, in: files + "/reference")
            let report = try run.run([files + "/ours", files + "/reference"], rounds: 10, seed: seed)
            #expect(report.contains("differences 0"), "seed \(seed): \(report)")
            methods += interface.methods.count
            try FileManager.default.removeItem(atPath: files)
        }
        #expect(methods > 0)
        print("\(Self.count) random files, \(methods) methods in all four pairs")
    }

    /// The worked examples' interface in all four pairs, without the sequence of handles: the reference
    /// compiler's stub misplaces such handles, and its skel crashes on damaged requests.
    @Test("Worked examples in all pairs", .needsReferenceCompiler)
    func workedExamples() throws {
        let reference = try #require(ReferenceCompiler.found)
        let folder = try TemporaryFolder()
        let run = try PropertyRun(compiler: try #require(Toolchain.find("gcc")), folder: folder.path)
        let text = LoopbackProgram.idl.split(separator: "\n").filter { !$0.contains("dmaseq") }.joined(
            separator: "\n")
        let report = try Self.compare(
            text, "t", reference: reference, run: run, in: folder.path("t"), rounds: 200)
        #expect(report.contains("differences 0"), "\(report)")
    }

    /// Compiles a text with both compilers and runs all pairs.
    private static func compare(
        _ text: String, _ name: String, reference: ReferenceCompiler, run: PropertyRun, in files: String,
        rounds: Int
    ) throws -> String {
        let shims = run.folder + "/shims"
        for sub in ["ours", "reference"] {
            try FileManager.default.createDirectory(
                atPath: "\(files)/\(sub)", withIntermediateDirectories: true)
        }
        try text.write(toFile: "\(files)/\(name).idl", atomically: true, encoding: .utf8)
        let verdict = reference.compile(
            "\(files)/\(name).idl", includes: [shims], output: files + "/reference")
        try #require(verdict.isAccepted, "\(verdict.output)")
        let unit = try compile("\(files)/\(name).idl", includes: [shims])
        try PropertyRun.generate(unit, to: files + "/ours")
        try run.build(unit, name, .ours, in: files + "/ours")
        try run.build(unit, name, .reference, in: files + "/reference")
        return try run.run([files + "/ours", files + "/reference"], rounds: rounds, seed: 1)
    }

    /// The folder `testcases` beside the compiler has an interface for each feature of the language.
    @Test("The reference compiler's own test cases in all pairs", .needsReferenceCompiler)
    func ownCases() throws {
        let reference = try #require(ReferenceCompiler.found)
        let cases = URL(fileURLWithPath: reference.path).deletingLastPathComponent().path + "/testcases"
        guard FileManager.default.fileExists(atPath: cases) else {
            print("no folder \(cases): its test cases are not compared")
            return
        }
        let folder = try TemporaryFolder()
        let shims = folder.path("shims")
        let run = try PropertyRun(compiler: try #require(Toolchain.find("gcc")), folder: folder.path)
        var compared = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: cases).sorted() {
            let source = "\(cases)/\(name)/inc"
            let files = (try? FileManager.default.contentsOfDirectory(atPath: source)) ?? []
            for file in files.sorted() where file.hasSuffix(".idl") {
                let both = folder.path("\(name)-\(file)")
                for origin in ["ours", "reference"] {
                    try FileManager.default.createDirectory(
                        atPath: "\(both)/\(origin)", withIntermediateDirectories: true)
                }
                // Headers of files that are included.
                for other in files where other.hasSuffix(".idl") {
                    let path = "\(source)/\(other)"
                    let verdict = reference.compile(
                        path, includes: [shims, source], output: both + "/reference")
                    #expect(verdict.isAccepted, "\(path): \(verdict.output)")
                    try PropertyRun.generate(try Self.compile(path, includes: [shims]), to: both + "/ours")
                }
                let unit = try Self.compile("\(source)/\(file)", includes: [shims])
                try PropertyRun.generate(unit, to: both + "/ours")
                // With several interfaces the program calls one at a time.
                for interface in unit.interfaces {
                    let part = try #require(unit.selecting(interface: interface.name))
                    try PropertyRun.generate(part, header: unit, to: both + "/ours")
                    try run.build(part, String(file.dropLast(4)), .ours, in: both + "/ours")
                    try run.build(part, interface.name, .reference, in: both + "/reference")
                    let report = try run.run([both + "/ours", both + "/reference"], rounds: 20, seed: 1)
                    #expect(report.contains("differences 0"), "\(file): \(report)")
                    compared += 1
                }
            }
        }
        #expect(compared >= 16)
    }

    /// Reports where only one compiler accepts a file, unless the reference page names the reason.
    private static func judge(
        _ ours: Result<IDLUnit, any Error>, _ verdict: ReferenceCompiler.Verdict, _ label: String,
        _ text: String
    ) {
        switch (ours, verdict.isAccepted) {
        case (.success, true), (.failure, false): break
        case (.success, false):
            #expect(
                KnownDifference.weAccept.contains { verdict.output.contains($0) },
                "\(label), only we accept: \(verdict.output)\n\(text)")
        case (.failure(let error), true):
            #expect(
                KnownDifference.weReject.contains { "\(error)".contains($0) },
                "\(label), only we reject: \(error)\n\(text)")
        }
    }

    /// What the reference compiler accepts we accept. What it rejects we reject, but for what the reference
    /// page names.
    @Test("Damaged files are accepted by both or by none", .needsReferenceCompiler)
    func acceptance() throws {
        let reference = try #require(ReferenceCompiler.found)
        let folder = try TemporaryFolder()
        let shims = folder.path("shims")
        _ = try PropertyRun(compiler: try #require(Toolchain.find("gcc")), folder: folder.path)
        for seed in 20000..<20000 + 4 * Self.count {
            let idl = RandomIDL(seed: seed)
            let files = folder.path("\(seed)")
            let text = MutatedIDL.mutated(idl.main, seed: seed)
            try Self.write(idl, to: files, main: text)
            let verdict = reference.compile(
                files + "/t.idl", includes: [shims, files], output: files + "/reference")
            let unit = Result { try Self.generate(files, includes: [shims]) }
            Self.judge(unit, verdict, "seed \(seed)", text)
            try FileManager.default.removeItem(atPath: files)
        }
    }

    /// A stub of the reference compiler in a program on Qualcomm's library calls our skel on the virtual DSP.
    @Test(
        "The reference compiler's stub and our skel on the virtual DSP", .needsReferenceCompiler,
        .needsQualcommLibrary)
    func virtualDSP() throws {
        let reference = try #require(ReferenceCompiler.found)
        let library = try #require(ForeignPrograms.qualcommFolder)
        let programs = try ForeignPrograms()
        let run = try PropertyRun(
            compiler: try #require(Toolchain.find("gcc")), folder: programs.folder + "/reference")
        let fixtures = "\(Toolchain.root)/Tests/Toolchain/VirtualDSP/Fixtures"
        let verdict = reference.compile(
            fixtures + "/echo.idl", includes: [run.folder + "/shims"], output: run.folder)
        try #require(verdict.isAccepted, "\(verdict.output)")
        // Its header makes the strings of URIs constants as ours does; what else differs are spellings.
        try Toolchain.run(
            run.compiler,
            [
                "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-w", "-pthread", "-I" + run.folder,
                "-I\(run.folder)/shims", "-I" + PropertyRun.includes, "-include", "zeroed.h",
                fixtures + "/qualcomm_client.c", run.folder + "/echo_stub.c", "-o", run.folder + "/client",
                "\(library)/libcdsprpc.so.1", "-Wl,-rpath,\(library)", "-Wl,--allow-shlib-undefined",
            ])
        let result = try programs.runOnVirtualDSP([run.folder + "/client"])
        #expect(result.exitCode == 0, "\(result.output)\(result.errors)")
        #expect(result.output.contains("\n0 failures\n"))
    }
}

/// Where the two compilers disagree about what is an IDL file, told by the words of the one that rejects.
enum KnownDifference {
    /// Only the reference compiler rejects.
    static let weAccept = [
        "ot in scope", "below the lower bound", "above the upper bound", "type mismatch",
        "unexpected \"<\"", "unexpected \"-\"", "unexpected \"~\"", "unexpected '~'", "alignAdd al 0",
        "bad size",
    ]
    /// Only we reject.
    static let weReject = [
        "handles of interfaces are not supported", "expected a type, found '>'", "is declared twice",
        "which is no number",
        "apostrophe",
        "begins with an underscore",
        "is named like its type", "that C would call",
    ]
}

extension Trait where Self == ConditionTrait {
    static var needsReferenceCompiler: Self {
        .enabled(if: ReferenceCompiler.found != nil, "\(ReferenceCompiler.hint)")
    }
}
