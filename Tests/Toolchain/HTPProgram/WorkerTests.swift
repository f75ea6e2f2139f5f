import Foundation
import Testing

/// The pool of worker threads on the host.
@Suite("Workers", .enabled(if: systemCompiler != nil, "needs a C compiler as cc"))
struct WorkerTests {
    @Test("workers sleep between batches") func sleep() throws {
        let build = FixtureBuild(
            testDescription: "cc",
            machine: .host(compiler: try #require(systemCompiler), flags: ["-pthread"], runner: []))
        let output = try build.output(of: "workers.c", with: ["workers.c", "platform_host.c"])
        let numbers = String(decoding: output, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            .compactMap { Int($0) }
        try #require(numbers.count == 3)
        #expect(numbers[0] == 2000)
        // Of 300 ms: nobody was woken, and looking took the only time there was.
        #expect(numbers[1] == 0)
        #expect(numbers[2] < 20_000)
    }
}
