/// Generates the types that a Swift stub's methods need: enums, structs, and boxes for arrays in sequences.
struct SwiftDeclarations {
    let unit: IDLUnit
    let interfaces: [Interface]
    let types: SwiftTypes

    /// Arrays that are elements of something, by the names of their boxes, in the order in which they are met.
    private var boxes: [(name: String, type: IDLType)] = []
    private var used: Set<String> = []

    init(unit: IDLUnit, interfaces: [Interface], types: SwiftTypes) {
        self.unit = unit
        self.interfaces = interfaces
        self.types = types
        for interface in interfaces {
            for method in interface.methods {
                for parameter in method.parameters { visit(parameter.type) }
            }
        }
        for item in unit.items where !item.isIncluded {
            if case .structure(let type) = item.declaration { visit(.structure(type)) }
        }
    }

    /// The file's own types, and those of included files that they or the methods use.
    private var items: [IDLUnit.Item] {
        unit.items.filter { !$0.isIncluded || used.contains($0.declaration.name) }
    }

    /// The structs that hold sequences, strings or handles.
    var complexStructs: [(StructType, Location)] {
        items.compactMap { item in
            guard case .structure(let type) = item.declaration, type.isComplex else { return nil }
            return (type, item.location)
        }
    }

    func write(_ out: inout SourceWriter) throws(IDLError) {
        var names = Set(types.interfaces.map(\.name))
        for item in items {
            switch item.declaration {
            case .structure(let type):
                try claim(types.name(type.name), at: item.location, &names)
                out.line()
                try SwiftStruct(type, at: item.location, types).write(&out)
            case .enumeration(let type):
                try claim(types.name(type.name), at: item.location, &names)
                out.line()
                try enumeration(type, at: item.location, &out)
            case .alias, .constant: break
            }
        }
        for (name, type) in boxes {
            try claim(name, at: Location(file: unit.path, line: 1, column: 1), &names)
            out.line()
            try box(name, type, &out)
        }
    }

    private func claim(_ name: String, at location: Location, _ names: inout Set<String>) throws(IDLError) {
        guard names.insert(name).inserted else {
            throw IDLError(
                at: location, "two types would be called '\(name)' in Swift",
                hint: "give one of them another name")
        }
    }

    private mutating func visit(_ type: IDLType, isElement: Bool = false) {
        switch type.resolved {
        case .structure(let structure):
            guard used.insert(structure.name).inserted else { return }
            for member in structure.members { visit(member.type) }
        case .enumeration(let enumeration): used.insert(enumeration.name)
        case .array(let inner, _):
            visit(inner, isElement: true)
            let name = types.box(type)
            if isElement, !boxes.contains(where: { $0.name == name }) { boxes.append((name, type)) }
        case .sequence(let inner): visit(inner, isElement: true)
        default: break
        }
    }

    private func enumeration(
        _ type: EnumType, at location: Location, _ out: inout SourceWriter
    ) throws(IDLError) {
        let typeName = types.name(type.name)
        out.doc(type.doc.isEmpty ? ["The enum `\(type.name)`."] : type.doc)
        let opening = "public struct \(typeName): RawRepresentable, Hashable, Sendable, WireScalar {"
        try out.block(opening) { (out) throws(IDLError) in
            out.doc(["The number on the wire, which need not be one of the cases."])
            out.line("public var rawValue: UInt32")
            out.line()
            out.doc(["Wraps a number."])
            try out.block("public init(rawValue: UInt32) {") { $0.line("self.rawValue = rawValue") }
            out.line()
            var names: Set<String> = ["rawValue"]
            for (index, item) in type.cases.enumerated() {
                let caseName = SwiftNames.lowerCamel(item.name)
                guard names.insert(caseName).inserted else {
                    throw IDLError(
                        at: location, "two cases of '\(typeName)' would be called '\(caseName)' in Swift")
                }
                out.doc(
                    ["`\(item.name)`" + (item.doc.isEmpty ? "" : ": " + item.doc[0])] + item.doc.dropFirst())
                out.line(
                    "public static let \(SwiftNames.escaped(caseName)) = \(typeName)(rawValue: \(index))")
            }
        }
    }

    /// An array as the element of a sequence or of another array.
    private func box(_ name: String, _ type: IDLType, _ out: inout SourceWriter) throws(IDLError) {
        guard case .array(let inner, let count) = type.resolved else { return }
        let (element, extent) = (types.element(inner), type.extent(.full))
        out.doc(["An array of \(count) elements by value, where it is itself an element."])
        let conformances = "Hashable, Sendable, WireValue, ExpressibleByArrayLiteral"
        try out.block("public struct \(name): \(conformances) {") { (out) throws(IDLError) in
            out.doc(["Exactly \(count) elements."])
            out.line("public var elements: [\(element)]")
            out.line()
            SwiftStruct.wireSize(extent, &out)
            out.line()
            out.doc(["Boxes an array."])
            try out.block("public init(_ elements: [\(element)]) {") { $0.line("self.elements = elements") }
            out.line()
            out.doc(["Boxes a literal."])
            try out.block("public init(arrayLiteral elements: \(element)...) {") {
                $0.line("self.elements = elements")
            }
            out.line()
            out.doc(["Appends the elements."])
            try out.block("public func write(to writer: inout WireWriter) throws(RemoteCallError) {") {
                $0.line("try writer.append(self.elements, count: \(count))")
            }
            out.line()
            out.doc(["Takes the elements."])
            try out.block("public init(from reader: inout WireReader) throws(RemoteCallError) {") {
                $0.line("self.elements = try reader.read(count: \(count))")
            }
        }
    }
}
