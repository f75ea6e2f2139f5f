import GGUF

/// Builds a graph while checking the file's tensors against what the architecture says they are.
struct GraphBuilder {
    private let file: GGUFFile
    private(set) var graph: Graph
    /// The layer that operations are added to.
    var layer: Int?
    private var used: Set<String> = []

    init(_ file: GGUFFile, _ shape: Graph.Shape) {
        self.file = file
        graph = Graph(shape: shape)
    }

    /// A weight of the file, whose shape must be as given.
    mutating func weight(_ name: String, columns: Int, rows: Int = 1) throws -> Int {
        let tensor = try file.requiredTensor(named: name)
        guard tensor.rowLength == columns, tensor.rowCount == rows else {
            throw ModelError(
                "\(file.path): tensor \(quoted(name)) is \(tensor.dimensions.map(String.init).joined(separator: " × "))"
                    + ", expected \(rows == 1 ? "\(columns)" : "\(columns) × \(rows)")")
        }
        if let index = graph.weights.firstIndex(where: { $0.name == name }) { return index }
        used.insert(name)
        graph.weights.append(Graph.Weight(name: name, columns: columns, rows: rows))
        return graph.weights.count - 1
    }

    /// Whether the file has a tensor.
    func has(_ name: String) -> Bool { file.tensor(named: name) != nil }

    /// Declares that a tensor was taken into account in some other way.
    mutating func markUsed(_ name: String) { used.insert(name) }

    mutating func tensor(_ name: String, width: Int, _ rows: Graph.Tensor.Rows = .tokens) -> Int {
        let prefix = layer.map { "blk.\($0)." } ?? ""
        graph.tensors.append(Graph.Tensor(name: prefix + name, width: width, rows: rows))
        return graph.tensors.count - 1
    }

    mutating func add(_ name: String, _ kind: Operation.Kind) {
        graph.operations.append(Operation(name: name, layer: layer, kind: kind))
    }

    /// Adds an RMS norm with the weight called `name`.
    mutating func rmsNorm(_ name: String, _ input: Int, epsilon: Float) throws -> Int {
        let (width, rows) = (graph.tensors[input].width, graph.tensors[input].rows)
        let weight = try weight(name + ".weight", columns: width)
        let output = tensor(lastPart(of: name), width: width, rows)
        add(name, .rmsNorm(input: input, weight: weight, epsilon: epsilon, output: output))
        return output
    }

    /// Adds a product with the weight called `name`.
    mutating func matmul(_ name: String, _ input: Int, rows: Int) throws -> Int {
        let weight = try weight(name + ".weight", columns: graph.tensors[input].width, rows: rows)
        let output = tensor(lastPart(of: name), width: rows, graph.tensors[input].rows)
        add(name, .matmul(weight: weight, input: input, output: output))
        return output
    }

    mutating func sum(_ name: String, _ a: Int, _ b: Int) -> Int {
        let output = tensor(name, width: graph.tensors[a].width, graph.tensors[a].rows)
        add(name, .add(a, b, output: output))
        return output
    }

    /// The finished graph; a tensor that nothing used means that the file is not what it says.
    func finish(logits: Int) throws -> Graph {
        if let extra = file.tensors.first(where: { !used.contains($0.name) }) {
            throw ModelError(
                "\(file.path): tensor \(quoted(extra.name)) is not part of architecture "
                    + "\(quoted(graph.shape.architecture)) as this engine computes it")
        }
        var graph = graph
        graph.logits = logits
        return graph
    }

    private func lastPart(of name: String) -> String {
        name.split(separator: ".").last.map(String.init) ?? name
    }
}
