/// The variable `loop`.
final class LoopState {
    let loop: Loop
    let items: [Value]
    let extent: Extent
    /// Loops around it that it was called from.
    let level: Int
    /// The scope around the loop.
    let scope: Scope
    /// The round, from 0.
    var index = 0
    private var lastChanged: [Value]?

    init(_ loop: Loop, _ items: [Value], _ scope: Scope, level: Int) throws {
        (self.loop, self.items, self.scope, self.level) = (loop, items, scope, level)
        extent = try Extent(around: items)
    }

    func attribute(_ name: String) throws -> Value? {
        switch name {
        case "index": .integer(index + 1)
        case "index0": .integer(index)
        case "revindex": .integer(items.count - index)
        case "revindex0": .integer(items.count - index - 1)
        case "first": .boolean(index == 0)
        case "last": .boolean(index == items.count - 1)
        case "length": .integer(items.count)
        case "depth": .integer(level + 1)
        case "depth0": .integer(level)
        case "previtem": index > 0 ? items[index - 1] : .undefined(.other("there is no previous item"))
        case "nextitem":
            index + 1 < items.count ? items[index + 1] : .undefined(.other("there is no next item"))
        case "cycle":
            .function(
                try Function("cycle", holding: items) { [self] _, arguments in
                    guard !arguments.positional.isEmpty else { throw Failure("no items for cycling given") }
                    return arguments.positional[index % arguments.positional.count]
                })
        case "changed":
            .function(
                try Function("changed", holding: items) { [self] _, arguments in
                    defer { lastChanged = arguments.positional }
                    return .boolean(lastChanged != arguments.positional)
                })
        default: nil
        }
    }

    /// `loop(items)` in a recursive loop.
    func call(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
        guard loop.isRecursive else { throw Failure("the loop is called, but it is not 'recursive'") }
        let items = try arguments.bind("loop", "iterable", required: 1)[0] ?? .none
        let outer = interpreter.output
        interpreter.output = []
        defer { interpreter.output = outer }
        _ = try interpreter.nested {
            try interpreter.runLoop(loop, over: items, scope, level: level + 1)
        }
        return .string(Text(interpreter.output))
    }
}
