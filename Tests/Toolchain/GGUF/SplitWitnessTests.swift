import GGUF
import TestSupport
import Testing

/// A model that PyPI's `gguf` split.
@Test("models that the gguf package split", .needsPython) func splitByTheWitness() throws {
    let folder = try TemporaryFolder()
    try PythonWitness.runWitness("split.py", [folder.path("m.gguf")])
    let names = try folder.contents
    #expect(names == (1...3).map { "m-0000\($0)-of-00003.gguf" })
    for name in names {
        let file = try GGUFFile(path: folder.path(name))
        #expect(file.tensors.map(\.name) == (0..<8).map { "t\($0).weight" })
        #expect(try file.metadata.string("general.name") == "split")
        for (number, tensor) in file.tensors.enumerated() {
            let values = file.bytes(of: tensor).assumingMemoryBound(to: Float.self)
            #expect(values.count == 64 && values.allSatisfy { $0 == Float(number) })
        }
    }
}
