import Models

extension Operation {
    /// Whether the CPU may compute an operation that follows in the same loop: another product of the same rows, or attention
    /// whose heads need no more than their own part of what is stored.
    func sharesLoop(with next: Operation) -> Bool {
        switch (kind, next.kind) {
        case (.matmul(_, let input, _), .matmul(_, let same, _)): input == same
        case (.store(_, _, let layer), .attention(_, let same, _, _)): layer == same
        default: false
        }
    }
}

extension Graph {
    /// Operations that may run in one loop with the one behind them, so that what they read is still needed then.
    package var loopsWithNext: Set<Int> {
        Set(operations.indices.dropLast().filter { operations[$0].sharesLoop(with: operations[$0 + 1]) })
    }
}
