import Foundation
import Testing

/// The whole program on the host, with batches that lie about everything.
@Suite("Hostile batches", .enabled(if: systemCompiler != nil, "needs a C compiler as cc"))
struct BatchCheckerTests {
    struct Build: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let compiler: String
        let flags: [String]
    }

    /// Every compiler here whose sanitizers work, and one build without them.
    static let builds: [Build] = {
        let plain = systemCompiler.map { Build(testDescription: "cc", compiler: $0, flags: []) }
        let sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
        return [plain].compactMap { $0 }
            + ["gcc", "clang", "clang-19"].compactMap { name in
                guard let compiler = tool(name), sanitizersWork(compiler, sanitize) else { return nil }
                return Build(
                    testDescription: "\(name) with sanitizers", compiler: compiler, flags: sanitize)
            }
    }()

    private static func sanitizersWork(_ compiler: String, _ flags: [String]) -> Bool {
        guard let scratch = try? ScratchDirectory(),
            let source = try? scratch.write("int main(void) { return 0; }\n", to: "empty.c"),
            let compiled = try? run(compiler, flags + ["-o", "\(scratch.path)/empty", source]),
            compiled.status == 0
        else { return false }
        return (try? run("\(scratch.path)/empty", []))?.status == 0
    }

    @Test("hostile batches are refused and do no harm", arguments: builds)
    func refused(build: Build) throws {
        let scratch = try ScratchDirectory()
        let program = "\(scratch.path)/batches"
        try succeed(
            build.compiler,
            [
                "-O1", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-psabi",
                "-Wl,--wrap=mmap,--wrap=posix_memalign",
            ] + build.flags + ProgramSources.includes
                + ["\(ProgramSources.fixtures)/batches.c"] + ProgramSources.all()
                + ["-pthread", "-o", program])
        let result = try run(program, [])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        let refused = try #require(result.output.firstMatch(of: /hostile batches refused: (\d+)/)?.output.1)
        #expect(try #require(Int(refused)) >= 150)
    }
}
