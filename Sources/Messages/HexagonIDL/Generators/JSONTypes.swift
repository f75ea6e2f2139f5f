/// The part of the description that concerns types.
enum JSONTypes {
    /// A field of a buffer or record. `part` says which of a struct's layouts applies.
    static func field(
        _ name: String, _ role: String, _ type: String, _ part: RecordPart?, _ offset: Int, _ extent: Extent
    ) -> JSON {
        .object([
            ("name", .string(name)), ("role", .string(role)), ("type", .string(type)),
            ("part", part.map { .string($0.jsonName) } ?? .null),
            ("offset", .int(offset)), ("size", .int(extent.size)), ("alignment", .int(extent.alignment)),
        ])
    }

    static func describe(_ item: IDLUnit.Item) -> JSON {
        let head: [(String, JSON)] = [("name", .string(item.declaration.name))]
        let tail: [(String, JSON)] =
            switch item.declaration {
            case .structure(let type): structure(type)
            case .enumeration(let type):
                [
                    ("kind", .string("enum")), ("size", .int(4)), ("alignment", .int(4)),
                    ("cases", .array(type.cases.map { .string($0.name) })),
                ]
            case .alias(let type): alias(type)
            case .constant(let constant):
                [
                    ("kind", .string("const")), ("type", .string(constant.type.spelling)),
                    ("value", value(constant)),
                ]
            }
        let doc =
            switch item.declaration {
            case .structure(let type): type.doc
            case .enumeration(let type): type.doc
            case .alias(let type): type.doc
            case .constant(let constant): constant.doc
            }
        return .object(
            head + tail + [("included", .bool(item.isIncluded)), ("doc", JSONDescription.doc(doc))])
    }

    private static func structure(_ type: StructType) -> [(String, JSON)] {
        let records = RecordPart.allCases.compactMap { part -> (String, JSON)? in
            let layout = type.layout(part)
            guard layout.extent.size > 0, part == .full || type.isComplex else { return nil }
            let fields = zip(type.members, layout.offsets).compactMap { member, offset -> JSON? in
                guard let offset else { return nil }
                let isCount = member.type.isCounted
                return field(
                    member.name, !isCount ? "value" : part == .counts ? "capacity" : "count",
                    isCount ? "uint32" : member.type.spelling, member.type.recordPart(part), offset,
                    member.type.extent(part))
            }
            return (
                part.jsonName,
                .object([
                    ("size", .int(layout.extent.size)), ("alignment", .int(layout.extent.alignment)),
                    ("fields", .array(fields)),
                ])
            )
        }
        return [("kind", .string("struct")), ("complex", .bool(type.isComplex))] + records
    }

    private static func alias(_ type: AliasType) -> [(String, JSON)] {
        let extent = type.target.extent(.full)
        return [
            ("kind", .string("typedef")), ("type", .string(type.written.spelling)),
            ("size", .int(extent.size)), ("alignment", .int(extent.alignment)),
        ]
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

extension RecordPart {
    /// The key of a struct's layout in the description.
    var jsonName: String {
        switch self {
        case .full: "in"
        case .counts: "rout_counts"
        case .scalars: "rout_scalars"
        }
    }
}

extension IDLType {
    /// Which layout of a struct, or of an array's structs, a field of this type has; nil for other types. A
    /// struct without sequences has one layout only.
    func recordPart(_ part: RecordPart) -> RecordPart? {
        switch resolved {
        case .structure(let type): type.isComplex ? part : .full
        case .array(let element, _): element.recordPart(part)
        default: nil
        }
    }
}
