/// A type whose names are resolved.
package indirect enum IDLType: Sendable {
    case scalar(ScalarType)
    case enumeration(EnumType)
    case structure(StructType)
    case alias(AliasType)
    case array(of: IDLType, count: Int)
    case sequence(of: IDLType)
    case string
    case wideString
    case dmaHandle

    /// The type behind its typedef names.
    package var resolved: IDLType {
        if case .alias(let alias) = self { alias.target } else { self }
    }

    /// Whether the type holds a sequence, a string or a handle, whose data travels outside its record.
    package var isComplex: Bool {
        switch self {
        case .scalar, .enumeration, .array: false
        case .structure(let structure): structure.isComplex
        case .alias(let alias): alias.target.isComplex
        case .sequence, .string, .wideString, .dmaHandle: true
        }
    }

    /// The type as the IDL writes it.
    package var spelling: String {
        switch self {
        case .scalar(let scalar): scalar.rawValue
        case .enumeration(let type): type.name
        case .structure(let type): type.name
        case .alias(let type): type.name
        case .array(let element, let count): "\(element.spelling)[\(count)]"
        case .sequence(let element): "sequence<\(element.spelling)>"
        case .string: "string"
        case .wideString: "wstring"
        case .dmaHandle: "dmahandle"
        }
    }
}

/// A struct, with its layouts on the wire.
package final class StructType: Sendable {
    package struct Member: Sendable {
        package let name: String
        package let type: IDLType
        package let doc: [String]
    }

    /// The C name: scopes and name joined by `_`.
    package let name: String
    package let members: [Member]
    package let doc: [String]
    package let isComplex: Bool
    /// How deep structs and sequences nest below this one.
    let depth: Int
    private let layouts: [RecordLayout]

    /// Returns nil if the struct is too large for the wire.
    init?(name: String, members: [Member], doc: [String]) {
        self.name = name
        self.members = members
        self.doc = doc
        isComplex = members.contains { $0.type.isComplex }
        depth = 1 + (members.map(\.type.depth).max() ?? 0)
        var layouts: [RecordLayout] = []
        for part in RecordPart.allCases {
            guard let layout = RecordLayout(members.map(\.type), part) else { return nil }
            layouts.append(layout)
        }
        self.layouts = layouts
    }

    package func layout(_ part: RecordPart) -> RecordLayout { layouts[part.rawValue] }
}

package final class EnumType: Sendable {
    package struct Case: Sendable {
        package let name: String
        package let doc: [String]
    }

    package let name: String
    package let cases: [Case]
    package let doc: [String]

    init(name: String, cases: [Case], doc: [String]) {
        self.name = name
        self.cases = cases
        self.doc = doc
    }
}

/// A typedef.
package final class AliasType: Sendable {
    package let name: String
    /// What the name stands for, itself no alias.
    package let target: IDLType
    /// What the typedef says, perhaps another alias.
    package let written: IDLType
    package let doc: [String]
    fileprivate let chain: Int

    init(name: String, written: IDLType, doc: [String]) {
        self.name = name
        chain = 1 + written.aliasDepth
        self.written = written
        target = written.resolved
        self.doc = doc
    }
}

package struct Constant: Sendable {
    package enum Value: Sendable, Hashable {
        case integer(Int128)
        case float(Double)
        case boolean(Bool)
        case string(String, wide: Bool)
    }

    package var name: String
    package var type: IDLType
    package var value: Value
    package var doc: [String]
}

package struct Parameter: Sendable {
    package enum Direction: String, Sendable {
        case `in`
        case rout
        case inrout
    }

    package var name: String
    package var direction: Direction
    package var type: IDLType
    package var location: Location
    /// Whether its type is written with a bound, which has no effect on the wire.
    package var isBounded = false
}

package struct Method: Sendable {
    package var name: String
    package var index: Int
    package var isAsync: Bool
    package var parameters: [Parameter]
    package var doc: [String]
    package var location: Location
}

package struct Interface: Sendable {
    /// The C name: modules and name joined by `_`.
    package var name: String
    /// Whether calls go through a handle of the interface's own: it derives from `remote_handle64`, and its
    /// methods 0 and 1 are open and close.
    package var hasHandle: Bool
    /// The interface's methods, inherited ones first, open and close not among them.
    package var methods: [Method]
    package var doc: [String]
    package var location: Location
    /// The interface it derives from, as written.
    package var base: String?
}

/// Something that a file declares beside its interface.
package enum Declaration: Sendable {
    case structure(StructType)
    case enumeration(EnumType)
    case alias(AliasType)
    case constant(Constant)

    package var name: String {
        switch self {
        case .structure(let type): type.name
        case .enumeration(let type): type.name
        case .alias(let type): type.name
        case .constant(let constant): constant.name
        }
    }
}

/// A checked IDL file.
package struct IDLUnit: Sendable {
    package struct Item: Sendable {
        package var declaration: Declaration
        /// Scopes and name joined by `::`.
        package var key: String
        package var location: Location
        /// Whether it stands in an included file, whose own header declares it.
        package var isIncluded: Bool
        /// Whether anything refers to it by its name.
        package var isUsed = false
    }

    /// The path as it was given.
    package var path: String
    /// In the order of the source.
    package var items: [Item]
    /// The interfaces that the file itself defines.
    package var interfaces: [Interface]
    /// `const string IDL_VERSION`: goes into the URI and is compared when a handle is opened.
    package var version: String?
    /// The files that the file includes, without those that are built in.
    package var includes: [String]
    /// Whether the file includes remote.idl, and so has the bases of interfaces at hand.
    package var includesRemote: Bool
    package var warnings: [Diagnostic]

    /// The interface that code is generated from: the first.
    package var interface: Interface? { interfaces.first }

    /// The unit with only one of its interfaces, or nil if there is none of that name.
    package func selecting(interface name: String) -> IDLUnit? {
        guard let chosen = interfaces.first(where: { $0.name == name }) else { return nil }
        var unit = self
        unit.interfaces = [chosen]
        return unit
    }
}

extension IDLType {
    /// How deep structs and sequences nest.
    var depth: Int {
        switch self {
        case .structure(let type): type.depth
        case .alias(let alias): alias.target.depth
        case .array(let element, _), .sequence(let element): 1 + element.depth
        default: 0
        }
    }

    /// How many typedefs follow each other down to the first type that is none.
    var aliasDepth: Int {
        switch self {
        case .alias(let alias): alias.chain
        case .array(let element, _), .sequence(let element): element.aliasDepth
        default: 0
        }
    }
}
