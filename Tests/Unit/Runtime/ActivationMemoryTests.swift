import GGUF
import Models
import Runtime
import TestSupport
import Testing

/// Where activations lie, against a run that notes who wrote each float last.
@Suite("Memory of activations") struct ActivationMemoryTests {
    private static let rows = 3
    private static let outputRows = 2

    private static func graph(_ name: String) throws -> Graph {
        let folder = try TemporaryFolder()
        let path = try TestModel.model(name).write(to: folder.path("model.gguf"))
        return try Architecture.graph(of: try GGUFFile(path: path))
    }

    /// Operations that find another tensor's numbers in place of what they read, if neighbours that may run in one loop
    /// do, so that all of them write before any reads.
    private static func victims(_ graph: Graph, _ memory: ActivationMemory) -> [String] {
        var writers = [Int?](repeating: nil, count: memory.count)
        func range(_ tensor: Int) -> Range<Int> {
            let shape = graph.tensors[tensor]
            let size = shape.width * (shape.rows == .tokens ? rows : outputRows)
            return memory.offsets[tensor]..<memory.offsets[tensor] + size
        }
        var victims: [String] = []
        var first = 0
        while first < graph.operations.count {
            var last = first
            while graph.loopsWithNext.contains(last) { last += 1 }
            let loop = graph.operations[first...last]
            let outputs = loop.compactMap(\.output)
            for output in outputs { for index in range(output) { writers[index] = output } }
            for operation in loop {
                for input in operation.inputs where !outputs.contains(input) {
                    if range(input).contains(where: { writers[$0] != input }) {
                        victims.append(operation.name)
                    }
                }
            }
            first = last + 1
        }
        if range(graph.logits).contains(where: { writers[$0] != graph.logits }) { victims.append("logits") }
        return victims
    }

    @Test(arguments: TestModel.architectures) func nothingIsOverwrittenThatIsReadLater(_ name: String) throws
    {
        let graph = try Self.graph(name)
        #expect(!graph.loopsWithNext.isEmpty)
        let memory = ActivationMemory(
            graph, rows: Self.rows, outputRows: Self.outputRows, fused: graph.loopsWithNext)
        #expect(Self.victims(graph, memory) == [])
        // Much smaller than all tensors one after the other.
        let sizes = graph.tensors.map { $0.width * ($0.rows == .tokens ? Self.rows : Self.outputRows) }
        #expect(memory.count < sizes.reduce(0, +))
    }

    @Test func loopsNeedMoreThanTheirOperationsOneByOne() throws {
        let graph = try Self.graph("llama")
        let memory = ActivationMemory(graph, rows: Self.rows, outputRows: Self.outputRows)
        #expect(Self.victims(graph, memory) != [])
    }
}
