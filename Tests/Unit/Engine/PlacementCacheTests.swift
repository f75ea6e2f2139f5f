import Engine
import Foundation
import HexagonRPC
import Runtime
import TestSupport
import Testing
import VirtualDSP

/// What was measured to choose sides is measured once.
@Suite("Remembered placement") struct PlacementCacheTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = try TestModel.llama(.q8_0).write(to: folder.path("model.gguf"))
    }

    private func load(
        _ edit: (inout LanguageModel.Options) -> Void = { _ in }
    ) throws -> LanguageModel {
        var options = LanguageModel.Options()
        (options.threads, options.contextLength, options.batch) = (1, 64, 32)
        options.devices = [InferenceDevice(name: "sim0", kind: "simulator", transport: SimulatorTransport())]
        options.placement = .auto
        options.placementFolder = folder.path("a/cache")
        edit(&options)
        return try LanguageModel(path: path, options: options)
    }

    private func remembers(_ model: LanguageModel) -> Bool {
        model.placementDescription.contains("measured at an earlier load")
    }

    private var files: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path("a/cache")) }
    }

    @Test func theSecondLoadRemembersTheFirst() throws {
        let first = try load()
        #expect(!remembers(first))
        let second = try load()
        #expect(remembers(second))
        #expect(
            second.placementDescription.replacing("measured at an earlier load", with: "measured")
                == first.placementDescription)
        #expect(try files.count == 1)
        // In other circumstances it is measured again.
        #expect(try !remembers(load { $0.threads = 2 }))
        #expect(try !remembers(load { $0.batch = 16 }))
        #expect(try !remembers(load { $0.devices[0].name = "sim1" }))
        #expect(try !remembers(load { $0.devices[0].power = .saving }))
        #expect(try !remembers(load { $0.measuresAgain = true }))
        #expect(try files.count == 5)
        #expect(try remembers(load()))
        // Another model in the same place.
        _ = try TestModel.llama(.q4_0).write(to: path)
        #expect(try !remembers(load()))
    }

    @Test func damagedFilesCountAsNothing() throws {
        _ = try load()
        let name = try #require(try files.first)
        let file = folder.path("a/cache/" + name)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        for damaged in [
            "", "\n", String(text.dropLast()), text + "8 1 1", text.replacing("1 ", with: "x "),
            text.replacing("placement 1", with: "placement 2"), String(text.prefix(text.count / 2)),
            String(repeating: "8 1 1\n", count: 100_000),
        ] {
            try damaged.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try !remembers(load()), "\(damaged.prefix(200))")
            #expect(try remembers(load()))
        }
    }

    @Test func aFolderThatCannotBeWrittenDoesNoHarm() throws {
        #expect(try !remembers(load { $0.placementFolder = "/proc/nothing" }))
        #expect(try !remembers(load { $0.placementFolder = path + "/file" }))
        #expect(try !remembers(load { $0.placementFolder = nil }))
    }
}
