/// A name and where it stands.
struct Name: Hashable {
    var text: String
    var location: Location
}

/// `A::B`, or `::A::B` from the outermost scope.
struct ScopedName {
    var parts: [Name]
    var isGlobal: Bool

    var location: Location { parts[0].location }
    var text: String { (isGlobal ? "::" : "") + parts.map(\.text).joined(separator: "::") }
}

/// What stands in the place of a type.
indirect enum TypeSyntax {
    case scalar(ScalarType, Location)
    case void(Location)
    case named(ScopedName)
    case sequence(TypeSyntax, bound: Expression?, Location)
    case string(wide: Bool, bound: Expression?, Location)
    case dmaHandle(Location)
    /// The bare word `interface`.
    case interface(Location)
    /// A struct, enum or union that is declared where it is used.
    case declared(DeclarationSyntax, Location)

    var location: Location {
        switch self {
        case .scalar(_, let location), .void(let location), .sequence(_, _, let location),
            .string(_, _, let location), .dmaHandle(let location), .interface(let location),
            .declared(_, let location):
            location
        case .named(let name): name.location
        }
    }

    /// Whether it is a sequence or string with a bound.
    var isBounded: Bool {
        switch self {
        case .sequence(_, let bound, _), .string(_, let bound, _): bound != nil
        default: false
        }
    }
}

/// A constant expression.
indirect enum Expression {
    case literal(Literal, Location)
    case reference(ScopedName)
    case unary(String, Expression, Location)
    case binary(String, Expression, Expression, Location)

    var location: Location {
        switch self {
        case .literal(_, let location), .unary(_, _, let location), .binary(_, _, _, let location): location
        case .reference(let name): name.location
        }
    }
}

enum Literal: Hashable {
    case integer(UInt64, isDecimal: Bool)
    case float(String)
    case boolean(Bool)
    case string(String, wide: Bool)
    case character(UInt32, wide: Bool)
}

/// A declared name with its array lengths.
struct DeclaratorSyntax {
    var name: Name
    var lengths: [Expression]
}

struct MemberSyntax {
    var type: TypeSyntax
    var declarator: DeclaratorSyntax
    var doc: [String]
}

struct EnumCaseSyntax {
    var name: Name
    var doc: [String]
}

enum Direction: String {
    case `in`
    case rout
    case inrout
}

struct ParameterSyntax {
    var direction: Direction
    var type: TypeSyntax
    var name: Name
}

struct OperationSyntax {
    var isAsync: Bool
    var result: TypeSyntax
    var parameters: [ParameterSyntax]
}

struct InterfaceSyntax {
    var isExtended: Bool
    var isLocal: Bool
    var base: ScopedName?
    /// Nil for a forward declaration.
    var members: [DeclarationSyntax]?
}

/// One declaration, at the top, in a module or in an interface.
struct DeclarationSyntax {
    enum Content {
        case module([DeclarationSyntax])
        case typedef(TypeSyntax, [DeclaratorSyntax])
        case structure([MemberSyntax])
        case enumeration([EnumCaseSyntax])
        case union
        case native
        case constant(TypeSyntax, Expression)
        case interface(InterfaceSyntax)
        case operation(OperationSyntax)
        case attribute(TypeSyntax, isReadOnly: Bool)
    }

    /// What is declared. A typedef's names are in its declarators.
    var name: Name
    var content: Content
    var doc: [String]
}
