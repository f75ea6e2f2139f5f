/// Describes interfaces' calls as JSON: every method with its scalars, every buffer, every field.
package enum JSONDescription {
    /// The version of the format. It grows when a key changes its meaning or goes away.
    package static let formatVersion = 2

    package static func generate(_ unit: IDLUnit) throws(IDLError) -> String {
        var interfaces: [JSON] = []
        for interface in unit.interfaces { interfaces.append(try describe(interface, of: unit)) }
        return JSON.object([
            ("version", .int(formatVersion)), ("file", .string(unit.path)),
            ("idl_version", unit.version.map(JSON.string) ?? .null), ("interfaces", .array(interfaces)),
            ("types", .array(unit.items.map(JSONTypes.describe))),
        ]).text() + "\n"
    }

    private static func describe(_ interface: Interface, of unit: IDLUnit) throws(IDLError) -> JSON {
        var methods: [JSON] = []
        if interface.hasHandle { methods += openAndClose }
        for method in interface.methods { methods.append(try describe(method)) }
        return .object([
            ("name", .string(interface.name)), ("base", interface.base.map(JSON.string) ?? .null),
            ("handle", .bool(interface.hasHandle)),
            ("uri", .string(interface.uri(version: unit.version))),
            ("module", .string(interface.moduleFile)), ("symbol", .string(interface.skelSymbol)),
            ("doc", doc(interface.doc)), ("methods", .array(methods)),
        ])
    }

    static func doc(_ lines: [String]) -> JSON { .string(lines.joined(separator: "\n")) }

    /// What the loader on the DSP sends; a stub on the host asks the session instead.
    private static let openAndClose: [JSON] = [
        .object([
            ("name", .string("open")), ("index", .int(0)), ("scalars", .string("0x00020001")),
            ("loader", .bool(true)),
        ]),
        .object([
            ("name", .string("close")), ("index", .int(1)), ("scalars", .string("0x01000010")),
            ("loader", .bool(true)),
        ]),
    ]

    private static func hexadecimal(_ word: UInt32) -> String {
        let digits = String(word, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    // MARK: Methods

    private static func describe(_ method: Method) throws(IDLError) -> JSON {
        let wire = try MethodWire(method)
        let primIn = primitive(wire.primIn, wire.primInSize, wire.primInSent, method)
        let primROut = primitive(wire.primROut, wire.primROutSize, wire.primROutSent, method)
        let handles = { (isReturned: Bool) in
            JSON.array(
                wire.handles.filter { $0.isReturned == isReturned }.map {
                    .object([("path", .string($0.path)), ("repeated", .bool($0.isRepeated))])
                })
        }
        return .object([
            ("name", .string(method.name)), ("index", .int(method.index)),
            ("async", .bool(method.isAsync)), ("doc", doc(method.doc)),
            ("parameters", .array(method.parameters.map(describe))),
            // Of a method that is not fixed, the scalars of a call whose outer sequences are empty.
            ("scalars", .string(hexadecimal(wire.scalars(method: method.index)))),
            ("scalars_fixed", .bool(wire.isFixed)),
            ("counts", counts(wire)),
            ("in", .array(primIn + wire.inBuffers.map { describe($0, isReturned: false) })),
            ("out", .array(primROut + wire.outBuffers.map { describe($0, isReturned: true) })),
            ("in_handles", handles(false)), ("out_handles", handles(true)),
        ])
    }

    private static func describe(_ parameter: Parameter) -> JSON {
        .object([
            ("name", .string(parameter.name)), ("direction", .string(parameter.direction.rawValue)),
            ("type", .string(parameter.type.spelling)),
        ])
    }

    /// How many buffers and handles a call has: a fixed number, and so many for each element of the sequences
    /// named by a path.
    private static func counts(_ wire: MethodWire) -> JSON {
        func rule(_ fixed: Int, _ repeated: [String]) -> JSON {
            var paths: [String] = []
            var each: [String: Int] = [:]
            for path in repeated {
                // `a[].b` repeats with the elements `a[]`.
                let end = path.lastRange(of: "[]") ?? path.endIndex
                let element = String(path[..<end])
                if each[element] == nil { paths.append(element) }
                each[element, default: 0] += 1
            }
            return .object([
                ("fixed", .int(fixed)),
                (
                    "per_element",
                    .array(paths.map { .object([("of", .string($0)), ("count", .int(each[$0] ?? 0))]) })
                ),
            ])
        }
        func handles(isReturned: Bool) -> [String] {
            wire.handles.filter { $0.isReturned == isReturned && $0.isRepeated }.map(\.path)
        }
        return .object([
            ("in", rule(wire.inBufferCount, wire.inBuffers.filter(\.isRepeated).map(\.path))),
            ("out", rule(wire.outBufferCount, wire.outBuffers.filter(\.isRepeated).map(\.path))),
            ("in_handles", rule(wire.inHandles, handles(isReturned: false))),
            ("out_handles", rule(wire.outHandles, handles(isReturned: true))),
        ])
    }

    // MARK: Buffers

    private static func primitive(
        _ fields: [MethodWire.Field], _ size: Int, _ sent: Int, _ method: Method
    ) -> [JSON] {
        guard !fields.isEmpty else { return [] }
        let described = fields.map { field -> JSON in
            guard let index = field.parameter else {
                return JSONTypes.field("method index", field.role.rawValue, "uint32", nil, 0, field.extent)
            }
            let parameter = method.parameters[index]
            let type = parameter.type
            return JSONTypes.field(
                parameter.name, field.role.rawValue, type.isCounted ? "uint32" : type.spelling,
                type.recordPart(field.part), field.offset, field.extent)
        }
        return [
            .object([
                ("kind", .string("primitives")), ("size", .int(size)), ("size_sent", .int(sent)),
                ("alignment", .int(fields.map(\.extent.alignment).max() ?? 1)),
                ("fields", .array(described)),
            ])
        ]
    }

    private static func describe(_ buffer: MethodWire.Buffer, isReturned: Bool) -> JSON {
        let part: RecordPart? =
            switch buffer.content {
            case .elements: nil
            case .counts: .counts
            case .records: isReturned ? .scalars : .full
            }
        return .object([
            ("kind", .string(buffer.content.rawValue)), ("path", .string(buffer.path)),
            ("element", .string(buffer.element)), ("element_size", .int(buffer.elementSize)),
            ("part", part.map { .string($0.jsonName) } ?? .null), ("repeated", .bool(buffer.isRepeated)),
        ])
    }
}

extension String {
    /// Where the last occurrence of a text ends.
    fileprivate func lastRange(of text: String) -> Index? {
        var end = endIndex
        while end > startIndex {
            if self[..<end].hasSuffix(text) { return end }
            end = index(before: end)
        }
        return nil
    }
}
