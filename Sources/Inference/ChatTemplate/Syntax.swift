/// An expression of a template.
final class Expression: Sendable {
    indirect enum Kind: Sendable {
        case literal(Literal)
        case name(String)
        case list([Expression])
        case tuple([Expression])
        case dictionary([(key: Expression, value: Expression)])
        case attribute(Expression, String)
        case item(Expression, Expression)
        case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
        case call(Expression, CallArguments)
        /// A filter by its name; without a value in `{% filter %}` and `{% set %}`, where a block's text is its value.
        case filter(Expression?, String, CallArguments)
        case test(Expression, String, CallArguments, isNegated: Bool)
        case negation(Expression)
        case not(Expression)
        case plus(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
        case arithmetic(Expression, Arithmetic, Expression)
        case concatenation([Expression])
        case comparison(Expression, [(Comparison, Expression)])
        case condition(Expression, then: Expression, otherwise: Expression?)
    }

    let kind: Kind
    let line: Int
    /// How many expressions are nested in one another here.
    let depth: Int

    init(_ kind: Kind, line: Int, depth: Int) {
        (self.kind, self.line, self.depth) = (kind, line, depth)
    }
}

/// What an expression says itself.
enum Literal: Sendable {
    case none
    case boolean(Bool)
    case integer(Int)
    case float(Double)
    case string(Text)

    var value: Value {
        switch self {
        case .none: .none
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        case .string(let text): .string(text)
        }
    }
}

enum Arithmetic: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "**"
}

enum Comparison: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn = "in"
    case isNotIn = "not in"
}

/// What a call is given.
struct CallArguments: Sendable {
    var positional: [Expression] = []
    var keyword: [(name: String, value: Expression)] = []
    /// `*arguments`
    var more: Expression?
    /// `**arguments`
    var moreKeyword: Expression?

    var depth: Int {
        (positional + keyword.map(\.value) + [more, moreKeyword].compactMap { $0 }).reduce(0) {
            max($0, $1.depth)
        }
    }
}

/// What a value is assigned to.
indirect enum Target: Sendable {
    case name(String)
    case attribute(of: String, String)
    case tuple([Target])
}

/// A statement of a template.
struct Statement: Sendable {
    enum Kind: Sendable {
        case text(Text)
        case output([Expression])
        case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
        case loop(Loop)
        case assign(Target, Expression)
        /// The body's text, through the filters.
        case assignBlock(Target, filter: Expression?, body: [Statement])
        case macro(Macro)
        case callBlock(Macro, call: Expression)
        case filterBlock(Expression, body: [Statement])
        case with([(target: Target, value: Expression)], body: [Statement])
        case block(String, body: [Statement])
        case generation(body: [Statement])
        case breakLoop
        case continueLoop
    }

    let kind: Kind
    let line: Int
}

/// `{% for %}`
final class Loop: Sendable {
    let target: Target
    let items: Expression
    let test: Expression?
    let isRecursive: Bool
    let body: [Statement]
    let otherwise: [Statement]

    init(
        target: Target, items: Expression, test: Expression?, isRecursive: Bool, body: [Statement],
        otherwise: [Statement]
    ) {
        (self.target, self.items, self.test) = (target, items, test)
        (self.isRecursive, self.body, self.otherwise) = (isRecursive, body, otherwise)
    }
}

/// `{% macro %}`, or what is between `{% call %}` and `{% endcall %}`.
final class Macro: Sendable {
    let name: String
    let parameters: [String]
    /// Of the last parameters.
    let defaults: [Expression]
    let body: [Statement]
    /// Which of `caller`, `varargs` and `kwargs` the body uses; it gets no others.
    let extras: Set<String>

    init(name: String, parameters: [String], defaults: [Expression], body: [Statement], extras: Set<String>) {
        (self.name, self.parameters, self.defaults) = (name, parameters, defaults)
        (self.body, self.extras) = (body, extras)
    }
}
