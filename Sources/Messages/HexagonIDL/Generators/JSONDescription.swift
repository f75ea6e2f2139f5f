/// Describes an interface's calls as JSON: every method with its scalars, every buffer, every field.
package enum JSONDescription {
    package static func generate(_ unit: IDLUnit) throws(IDLError) -> String {
        var items: [(String, JSON)] = [("version", .int(1)), ("file", .string(unit.path))]
        if let interface = unit.interface {
            var methods: [JSON] = []
            if interface.hasHandle { methods += openAndClose }
            for method in interface.methods { methods.append(try describe(method)) }
            items.append(
                (
                    "interface",
                    .object([
                        ("name", .string(interface.name)), ("handle", .bool(interface.hasHandle)),
                        ("uri", .string(interface.uri(version: unit.version))),
                        ("module", .string(interface.moduleFile)), ("symbol", .string(interface.skelSymbol)),
                        ("doc", .string(interface.doc.joined(separator: "\n"))), ("methods", .array(methods)),
                    ])
                ))
        }
        items.append(("types", .array(unit.items.compactMap(describe))))
        return JSON.object(items).text() + "\n"
    }

    /// What the loader on the DSP sends; a stub on the host asks the session instead.
    private static let openAndClose: [JSON] = [
        .object([("name", .string("open")), ("index", .int(0)), ("scalars", .string("0x00020001"))]),
        .object([("name", .string("close")), ("index", .int(1)), ("scalars", .string("0x01000010"))]),
    ]

    private static func hexadecimal(_ word: UInt32) -> String {
        let digits = String(word, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    private static func describe(_ method: Method) throws(IDLError) -> JSON {
        let wire = try MethodWire(method)
        var items: [(String, JSON)] = [
            ("name", .string(method.name)), ("index", .int(method.index)),
            ("scalars", .string(hexadecimal(wire.scalars(method: method.index)))),
            // Otherwise the scalars are those of a call whose sequences of sequences are empty.
            ("scalars_fixed", .bool(wire.isFixed)),
        ]
        if method.isAsync { items.append(("async", .bool(true))) }
        if !method.doc.isEmpty { items.append(("doc", .string(method.doc.joined(separator: "\n")))) }
        items.append(
            (
                "parameters",
                .array(
                    method.parameters.map {
                        .object([
                            ("name", .string($0.name)), ("direction", .string($0.direction.rawValue)),
                            ("type", .string($0.type.spelling)),
                        ])
                    })
            ))
        let primIn = primitive(wire.primIn, wire.primInSize, wire.primInSent, method)
        let primROut = primitive(wire.primROut, wire.primROutSize, wire.primROutSent, method)
        items.append(("in", .array(primIn + wire.inBuffers.map(describe))))
        items.append(("out", .array(primROut + wire.outBuffers.map(describe))))
        items.append(("in_handles", .int(wire.inHandles)))
        items.append(("out_handles", .int(wire.outHandles)))
        return .object(items)
    }

    private static func primitive(
        _ fields: [MethodWire.Field], _ size: Int, _ sent: Int, _ method: Method
    ) -> [JSON] {
        guard !fields.isEmpty else { return [] }
        let described = fields.flatMap { field -> [JSON] in
            guard let index = field.parameter else {
                return [self.field("method index", field.role, "uint32", field.offset, 4)]
            }
            let parameter = method.parameters[index]
            return describe(parameter.type, parameter.name, field)
        }
        return [
            .object([
                ("kind", .string("primitives")), ("size", .int(size)), ("size_sent", .int(sent)),
                ("fields", .array(described)),
            ])
        ]
    }

    private static func field(
        _ name: String, _ role: MethodWire.Field.Role, _ type: String, _ offset: Int, _ size: Int
    ) -> JSON {
        .object([
            ("name", .string(name)), ("role", .string(role.rawValue)), ("type", .string(type)),
            ("offset", .int(offset)), ("size", .int(size)),
        ])
    }

    /// One line for a scalar or count; a struct's members are listed under "types".
    private static func describe(_ type: IDLType, _ name: String, _ field: MethodWire.Field) -> [JSON] {
        let role: MethodWire.Field.Role = field.role
        let spelling = type.isCounted ? "uint32" : type.spelling
        return [self.field(name, role, spelling, field.offset, field.extent.size)]
    }

    private static func describe(_ buffer: MethodWire.Buffer) -> JSON {
        .object([
            ("kind", .string(buffer.content.rawValue)), ("path", .string(buffer.path)),
            ("element", .string(buffer.element)), ("element_size", .int(buffer.elementSize)),
            ("repeated", .bool(buffer.isRepeated)),
        ])
    }

    private static func describe(_ item: IDLUnit.Item) -> JSON? {
        switch item.declaration {
        case .structure(let type):
            let records = RecordPart.allCases.compactMap { part -> (String, JSON)? in
                let layout = type.layout(part)
                guard layout.extent.size > 0, part == .full || type.isComplex else { return nil }
                let fields = zip(type.members, layout.offsets).compactMap { member, offset -> JSON? in
                    guard let offset else { return nil }
                    let isCount = member.type.isCounted
                    return .object([
                        ("name", .string(member.name)),
                        ("role", .string(!isCount ? "value" : part == .counts ? "capacity" : "count")),
                        ("type", .string(isCount ? "uint32" : member.type.spelling)),
                        ("offset", .int(offset)),
                        ("size", .int(member.type.extent(part).size)),
                    ])
                }
                let name = part == .full ? "in" : part == .counts ? "rout_counts" : "rout_scalars"
                return (
                    name,
                    .object([
                        ("size", .int(layout.extent.size)), ("alignment", .int(layout.extent.alignment)),
                        ("fields", .array(fields)),
                    ])
                )
            }
            return .object([("name", .string(type.name)), ("kind", .string("struct"))] + records)
        case .enumeration(let type):
            let cases = type.cases.map { JSON.string($0.name) }
            return .object([
                ("name", .string(type.name)), ("kind", .string("enum")), ("size", .int(4)),
                ("cases", .array(cases)),
            ])
        case .alias(let type):
            return .object([
                ("name", .string(type.name)), ("kind", .string("typedef")),
                ("type", .string(type.written.spelling)),
            ])
        case .constant(let constant):
            return .object([
                ("name", .string(constant.name)), ("kind", .string("const")),
                ("type", .string(constant.type.spelling)), ("value", value(constant)),
            ])
        }
    }

    private static func value(_ constant: Constant) -> JSON {
        switch constant.value {
        case .boolean(let value): .bool(value)
        case .string(let text, _): .string(text)
        case .float(let value): .string("\(value)")
        // JSON's readers keep 53 bits.
        case .integer(let value): value.magnitude < 1 << 53 ? .int(Int(value)) : .string("\(value)")
        }
    }
}
