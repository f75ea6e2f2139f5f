import GGUF

/// Builds a graph while checking the file's tensors against what the architecture says they are.
struct GraphBuilder {
    let parameters: Hyperparameters
    private(set) var graph: Graph
    /// The epsilon of all norms.
    let epsilon: Float
    /// The layer that operations are added to.
    var layer: Int?
    private var used: Set<String> = []
    private var weights: [Graph.Weight.Key: Int] = [:]

    init(_ parameters: Hyperparameters, _ shape: Graph.Shape) throws {
        self.parameters = parameters
        epsilon = Float(try parameters.float("attention.layer_norm_rms_epsilon"))
        graph = Graph(shape: shape)
    }

    private var file: GGUFFile { parameters.file }
    var shape: Graph.Shape { graph.shape }

    // MARK: Weights

    /// A matrix of the file, or one for each of several experts, whose shape must be as given.
    mutating func matrix(_ name: String, columns: Int, rows: Int, experts: Int = 1) throws -> Int {
        try check(name, experts == 1 ? [columns, rows] : [columns, rows, experts])
        return add(Graph.Weight(name: name, columns: columns, rows: rows, experts: experts))
    }

    /// Some rows of a matrix of the file.
    mutating func part(_ name: String, columns: Int, rows: Range<Int>, of count: Int) throws -> Int {
        try check(name, [columns, count])
        return add(Graph.Weight(name: name, columns: columns, rows: rows.count, firstRow: rows.lowerBound))
    }

    /// A vector of the file, or one for each of several experts.
    mutating func vector(_ name: String, _ length: Int, experts: Int = 1) throws -> Int {
        try check(name, experts == 1 ? [length] : [length, experts])
        return add(Graph.Weight(name: name, columns: length, rows: experts, isVector: true))
    }

    private func check(_ name: String, _ expected: [Int]) throws {
        var found = try file.requiredTensor(named: name).dimensions
        while found.count > expected.count, found.last == 1 { found.removeLast() }
        guard found == expected || found + [1] == expected else {
            func text(_ dimensions: [Int]) -> String {
                dimensions.map(String.init).joined(separator: " × ")
            }
            throw parameters.fail(
                "tensor \(quoted(name)) is \(text(found)), expected \(text(expected))")
        }
    }

    private mutating func add(_ weight: Graph.Weight) -> Int {
        used.insert(weight.name)
        let key = weight.key
        if let index = weights[key] { return index }
        graph.weights.append(weight)
        weights[key] = graph.weights.count - 1
        return graph.weights.count - 1
    }

    /// Whether the file has a tensor.
    func has(_ name: String) -> Bool { file.tensor(named: name) != nil }

    /// Declares that a tensor was taken into account in some other way.
    mutating func markUsed(_ name: String) { used.insert(name) }

    // MARK: Tensors and operations

    mutating func tensor(_ name: String, width: Int, _ rows: Graph.Tensor.Rows = .tokens) -> Int {
        graph.tensors.append(Graph.Tensor(name: prefix + name, width: width, rows: rows))
        return graph.tensors.count - 1
    }

    /// A new tensor with as many rows as another.
    mutating func tensor(_ name: String, width: Int, like other: Int) -> Int {
        tensor(name, width: width, graph.tensors[other].rows)
    }

    func width(_ tensor: Int) -> Int { graph.tensors[tensor].width }

    /// Adds an operation of the current layer.
    mutating func add(_ name: String, _ kind: Operation.Kind) {
        graph.operations.append(Operation(name: prefix + name, layer: layer, kind: kind))
    }

    /// What the names of the current layer's tensors begin with.
    var prefix: String { layer.map { "blk.\($0)." } ?? "" }

    /// Adds an RMS norm of rows with the layer's weight of that name.
    mutating func rmsNorm(_ name: String, _ input: Int) throws -> Int {
        let output = tensor(name, width: width(input), like: input)
        try rmsNorm(name, input, size: width(input), to: output)
        return output
    }

    /// Adds an RMS norm of runs of `size` floats.
    mutating func rmsNorm(_ name: String, _ input: Int, size: Int, to output: Int) throws {
        let weight = try vector(prefix + name + ".weight", size)
        add(name, .rmsNorm(input: input, weight: weight, epsilon: epsilon, output: output))
    }

    /// Adds products of the same input with the layer's matrices of these names, and what the file has to be multiplied
    /// or added to each.
    mutating func products(_ matrices: [(name: String, rows: Int)], _ input: Int) throws -> [Int] {
        let outputs = try matrices.map { name, rows in
            let weight = try matrix(prefix + name + ".weight", columns: width(input), rows: rows)
            return product(name, weight, input)
        }
        for (matrix, output) in zip(matrices, outputs) { try finish(matrix.name, output) }
        return outputs
    }

    /// Adds one such product.
    mutating func product(_ name: String, _ input: Int, rows: Int) throws -> Int {
        try products([(name, rows)], input)[0]
    }

    /// Adds products of the same input with the parts, one below the other, of one matrix.
    mutating func products(
        _ name: String, parts: [(name: String, rows: Int)], _ input: Int
    ) throws -> [Int] {
        let count = parts.reduce(0) { $0 + $1.rows }
        var first = 0
        return try parts.map { part, rows in
            let weight = try self.part(
                prefix + name + ".weight", columns: width(input), rows: first..<first + rows, of: count)
            first += rows
            return product(part, weight, input)
        }
    }

    private mutating func product(_ name: String, _ weight: Int, _ input: Int) -> Int {
        let output = tensor(name, width: graph.weights[weight].rows, like: input)
        add(name, .matmul(weight: weight, input: input, output: output))
        return output
    }

    /// A scale for the matrix and a bias, where the file has them.
    private mutating func finish(_ name: String, _ output: Int) throws {
        let scale = prefix + name + ".scale", bias = prefix + name + ".bias"
        if has(scale) {
            let factor = try parameters.floats(scale, count: 1)[0]
            markUsed(scale)
            add(name + ".scale", .scale(tensor: output, factor: factor, cap: 0))
        }
        if has(bias) {
            let weight = try vector(bias, width(output))
            add(name + ".bias", .addBias(tensor: output, weight: weight))
        }
    }

    mutating func sum(_ name: String, _ a: Int, _ b: Int) -> Int {
        let output = tensor(name, width: width(a), like: a)
        add(name, .add(a, b, output: output))
        return output
    }

    /// The finished graph; a tensor that nothing used means that the file is not what it says.
    func finish(logits: Int) throws -> Graph {
        if let extra = file.tensors.first(where: { !used.contains($0.name) }) {
            throw parameters.fail(
                "tensor \(quoted(extra.name)) is not part of architecture "
                    + "\(quoted(shape.architecture)) as this engine computes it")
        }
        var graph = graph
        graph.logits = logits
        return graph
    }
}

extension Graph.Weight {
    /// What tells weights apart.
    fileprivate struct Key: Hashable {
        var name: String
        var firstRow: Int
        var isVector: Bool
    }

    fileprivate var key: Key { Key(name: name, firstRow: firstRow, isVector: isVector) }
}
