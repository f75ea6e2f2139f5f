import Foundation
import TestSupport
import Testing

/// What users type wrong: one clear line on standard error, the right exit code, nothing on standard output.
@Suite("Bad arguments") struct BadArgumentTests {
    private let folder: TemporaryFolder
    private let model: String

    init() throws {
        folder = try TemporaryFolder()
        model = try TestModel.llama().write(to: folder.path("model.gguf"))
    }

    private struct Case {
        var arguments: [String]
        var expected: [String]
        var exitCode: CInt

        init(_ arguments: [String], _ expected: String..., exitCode: CInt) {
            (self.arguments, self.expected, self.exitCode) = (arguments, expected, exitCode)
        }
    }

    private func check(_ cases: [Case]) throws {
        for test in cases {
            let result = try Tool.run("engine", test.arguments, environment: ["HEXAGONRPC_LIBRARY": ""])
            #expect(result.exitCode == test.exitCode, "\(test.arguments): \(result.errors)")
            #expect(result.output == "", "\(test.arguments)")
            let line = result.errorLines.first ?? ""
            for part in test.expected { #expect(line.contains(part), "\(test.arguments): \(result.errors)") }
            // The parser of arguments shows how the command is used; all else is one line.
            if test.exitCode == 64 {
                #expect(result.errors.contains("Usage: engine"), "\(test.arguments)")
            } else {
                #expect(result.errorLines.count == 1, "\(test.arguments): \(result.errors)")
            }
        }
        #expect(try folder.contents == ["model.gguf"])
    }

    private func generate(_ arguments: String...) -> [String] {
        ["generate", "-m", model] + arguments
    }

    @Test func numbers() throws {
        try check([
            Case(generate("-p", "a", "-n", "-5"), "-n is a number", exitCode: 64),
            Case(generate("-p", "a", "-n", "many"), "'many' is invalid for '-n", exitCode: 64),
            Case(generate("-p", "a", "-n", "99999999999999999999"), "invalid for '-n", exitCode: 64),
            Case(generate("-p", "a", "-n"), "Missing value for '-n", exitCode: 64),
            Case(generate("-p", "a", "-t", "100000"), "-t is a number from 0 to 1024", exitCode: 64),
            Case(generate("-p", "a", "-t", "-1"), "-t is a number", exitCode: 64),
            Case(generate("-p", "a", "-b", "0"), "-b is a number from 1", exitCode: 64),
            Case(generate("-p", "a", "-c", "-1"), "-c is a number", exitCode: 64),
            Case(generate("-p", "a", "--temp", "nan"), "--temp is a number from 0", exitCode: 64),
            Case(generate("-p", "a", "--temp", "-1"), "--temp is a number from 0", exitCode: 64),
            Case(generate("-p", "a", "--temp", "inf"), "--temp is a number from 0", exitCode: 64),
            Case(generate("-p", "a", "--temp", "1e99"), "--temp", exitCode: 64),
            Case(generate("-p", "a", "--top-p", "1.5"), "--top-p", exitCode: 64),
            Case(generate("-p", "a", "--top-p", "nan"), "--top-p", exitCode: 64),
            Case(generate("-p", "a", "--min-p", "-0.1"), "--min-p", exitCode: 64),
            Case(generate("-p", "a", "--top-k", "-1"), "--top-k", exitCode: 64),
            Case(generate("-p", "a", "--repeat-penalty", "0"), "--repeat-penalty", exitCode: 64),
            Case(generate("-p", "a", "--repeat-last-n", "-2"), "--repeat-last-n", exitCode: 64),
            Case(generate("-p", "a", "-s", "-1"), "-s", exitCode: 64),
        ])
    }

    @Test func processors() throws {
        for list in ["", "x", "0,", "0-", "3-1", "0,0", "0-1,1", "1024", "-1", "0:1"] {
            try check([Case(generate("-p", "a", "--cpus", list), "invalid for '--cpus", exitCode: 64)])
        }
        #if arch(x86_64)
            let foreign = "neon-i8mm"
        #else
            let foreign = "avx2"
        #endif
        try check([
            Case(generate("-p", "a", "--cpus", "0,1023"), "may not run on CPU 1023", exitCode: 64),
            Case(
                generate("-p", "a", "--cpu-features", "sse9"), "sse9 is unknown", "portable, avx2",
                exitCode: 64),
            Case(
                generate("-p", "a", "--cpu-features", foreign), "lacks \(foreign)", "it has portable",
                exitCode: 1),
            Case(["bench", "-m", model, "--cpus", "1-0"], "invalid for '--cpus", exitCode: 64),
            Case(["bench", "-m", model, "--cpu-features", "x"], "x is unknown", exitCode: 64),
            Case(["bench", "-m", model, "--cpu-features", foreign], "lacks \(foreign)", exitCode: 1),
        ])
    }

    @Test func contexts() throws {
        for size in ["9223372036854775807", "4611686018427387904", "1000000000000"] {
            try check([
                Case(
                    generate("-p", "a", "-c", size), "a context of \(size) tokens", "smaller context (-c)",
                    exitCode: 1)
            ])
        }
        try check([
            Case(generate("-p", "abcdefgh", "-c", "4"), "the context holds 4", "-c", exitCode: 1),
            Case(
                generate("-p", String(repeating: "a b", count: 500)), "the prompt has",
                "the context holds 128",
                exitCode: 1),
        ])
    }

    @Test func prompts() throws {
        try check([
            Case(generate("-p", "a", "-f", "b"), "-p, -f and --tokens exclude each other", exitCode: 64),
            Case(generate("--tokens", "1,two"), "--tokens", "'two'", exitCode: 64),
            Case(generate("--tokens", "1,,2"), "--tokens", "''", exitCode: 64),
            Case(generate("--tokens", ""), "--tokens", exitCode: 64),
            Case(generate("--tokens", "99999999999"), "--tokens", "'99999999999'", exitCode: 64),
            Case(generate("--tokens", "1,286"), "token 286", "0 to 285", exitCode: 1),
            Case(generate("--tokens", "-1"), "token -1", "0 to 285", exitCode: 1),
            Case(generate("--tokens", "2147483647"), "token 2147483647", exitCode: 1),
            Case(generate("-f", folder.path("none.txt")), "none.txt", "No such file", exitCode: 1),
            Case(generate("-f", folder.path), folder.path, "Is a directory", exitCode: 1),
        ])
    }

    @Test func devices() throws {
        for list in [
            "foo", "sim9", "sim0,sim0", "", "simulator", "sim0,", ",", "htp4", "cpu,sim0", "sim-1", "SIM0",
            "sim٣",
        ] {
            try check([Case(generate("-p", "a", "--device", list), "--device", "'\(list)'", exitCode: 64)])
        }
        try check([
            Case(
                generate("-p", "a", "--device", "htp0"), "device htp0", "libcdsprpc.so", "HEXAGONRPC_LIBRARY",
                exitCode: 69)
        ])
    }

    @Test func outputs() throws {
        try check([
            Case(
                generate("-p", "a", "-n", "1", "--logits", folder.path("none/x.npy")), "none/x.npy",
                "No such file", exitCode: 1),
            Case(
                generate("-p", "a", "-n", "1", "--logits", folder.path), folder.path, "is a directory",
                exitCode: 1),
        ])
    }

    @Test func outputThatCannotBeWritten() throws {
        for arguments in [generate("-p", "a", "-n", "3"), ["devices"], ["inspect", model, "--json"]] {
            let result = try Tool.run("engine", arguments, outputPath: "/dev/full")
            #expect(result.exitCode == 1, "\(arguments)")
            #expect(result.errors == "engine: cannot write to standard output: No space left on device\n")
        }
    }

    @Test func commands() throws {
        try check([
            Case(["generate", "-p", "a"], "--model", exitCode: 64),
            Case(["generate", "-m", model, "-p", "a", "--bogus"], "Unknown option '--bogus'", exitCode: 64),
            Case(["frobnicate"], "'frobnicate'", exitCode: 64),
            Case(["inspect"], "<file>", exitCode: 64),
            Case(["inspect", folder.path("none.gguf")], "none.gguf", "No such file", exitCode: 1),
            Case(["tokenize", "-m", model], "<text>", exitCode: 64),
            Case(["tokenize", "-m", folder.path, "a"], "is a directory", exitCode: 1),
        ])
    }

    @Test func perplexity() throws {
        func perplexity(_ arguments: String...) -> [String] { ["perplexity", "-m", model] + arguments }
        let (none, short) = (folder.path("none"), "/dev/null")
        try check([
            Case(perplexity(), "No text", "-f", exitCode: 64),
            Case(perplexity("--kl-divergence"), "--kl-divergence-base FILE", exitCode: 64),
            Case(
                perplexity("--kl-divergence", "--kl-divergence-base", none, "-f", short), "there is no -f",
                exitCode: 64),
            Case(perplexity("-f", short, "-c", "-1"), "-c is a number", exitCode: 64),
            Case(perplexity("-f", short, "--chunks", "0"), "--chunks is a number", exitCode: 64),
            Case(perplexity("-f", short, "-b", "0"), "-b is a number", exitCode: 64),
            Case(perplexity("-f", none), none, "No such file", exitCode: 1),
            Case(perplexity("-f", short, "-c", "16"), "the text has 1 tokens", "needs 32", exitCode: 1),
            Case(perplexity("-f", model, "-c", "2"), "a context of 2 tokens is too small", exitCode: 1),
            Case(
                perplexity("-f", model, "-c", "16", "--kl-divergence-base", folder.path), folder.path,
                "is a directory", exitCode: 1),
            Case(
                perplexity("--kl-divergence", "--kl-divergence-base", none), none, "No such file",
                exitCode: 1),
            Case(
                perplexity("--kl-divergence", "--kl-divergence-base", model), model,
                "is no file of log-probabilities", exitCode: 1),
        ])
    }

    @Test func valuesThatBeginWithADash() throws {
        let end = try Tool.run(
            "engine", generate("-p", "- a", "-n", "-1", "-c", "16", "--repeat-last-n", "-1"))
        #expect(end.exitCode == 0, "\(end.errors)")
        // Bytes, as what follows may be a mark on the a.
        #expect(end.output.utf8.starts(with: "- a".utf8))
    }
}
