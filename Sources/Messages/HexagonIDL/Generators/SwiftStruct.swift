/// Generates one struct of the IDL.
struct SwiftStruct {
    private struct Member {
        var name: String
        var escaped: String
        var source: StructType.Member

        var type: IDLType { source.type }
        var value: String { "self.\(name)" }
    }

    private let type: StructType
    private let types: SwiftTypes
    private let members: [Member]

    init(_ type: StructType, at location: Location, _ types: SwiftTypes) throws(IDLError) {
        self.type = type
        self.types = types
        members = type.members.map { member in
            let name = SwiftNames.lowerCamel(member.name)
            return Member(name: name, escaped: SwiftNames.escaped(name), source: member)
        }
        guard Set(members.map(\.name)).count == members.count else {
            throw IDLError(
                at: location, "two members of '\(type.name)' would have the same name in Swift",
                hint: "give one of them another name")
        }
    }

    func write(_ out: inout SourceWriter) throws(IDLError) {
        out.doc(type.doc.isEmpty ? ["The struct `\(type.name)`."] : type.doc)
        let conformance = type.isComplex ? "RemoteValue" : "WireValue"
        let opening = "public struct \(types.name(type.name)): Hashable, Sendable, \(conformance) {"
        try out.block(opening) { (out) throws(IDLError) in
            for member in members {
                let own = member.source.doc.isEmpty ? ["`\(member.source.name)`"] : member.source.doc
                out.doc(own + length(member.type))
                out.line("public var \(member.escaped): \(types.value(member.type))")
            }
            out.line()
            if type.isComplex {
                try capacity(&out)
                shape(&out)
                out.line()
                try initializer(members.map { ($0, types.value($0.type)) }, &out)
                try record(&out)
            } else {
                Self.wireSize(type.layout(.full).extent, &out)
                out.line()
                try initializer(members.map { ($0, types.value($0.type)) }, &out)
                try value(&out)
            }
        }
    }

    private func length(_ type: IDLType) -> [String] {
        if case .array(_, let count) = type.resolved { ["Exactly \(count) elements."] } else { [] }
    }

    private func initializer(
        _ members: [(Member, type: String)], _ out: inout SourceWriter
    ) throws(IDLError) {
        out.doc(["Takes its members."])
        out.list(
            "public init(", members.map { "\($0.escaped): \($1)" }, ") {", limit: SwiftStub.lineLimit)
        for (member, _) in members { out.line("    \(member.value) = \(member.escaped)") }
        out.line("}")
    }

    // MARK: Structs that are values

    static func wireSize(_ extent: Extent, _ out: inout SourceWriter) {
        out.doc(["\(extent.size) bytes on the wire."])
        out.line("public static var wireSize: Int { \(extent.size) }")
        out.doc(["Aligned to \(extent.alignment)."])
        out.line("public static var wireAlignment: Int { \(extent.alignment) }")
    }

    private func value(_ out: inout SourceWriter) throws(IDLError) {
        out.line()
        out.doc(["Appends the members, each at its alignment."])
        try out.block("public func write(to writer: inout WireWriter) throws(RemoteCallError) {") { (out) in
            for member in members {
                switch member.type.resolved {
                case .array(_, let count):
                    out.line("try writer.append(\(member.value), count: \(count))")
                case .structure: out.line("try writer.append(\(member.value))")
                default: out.line("writer.append(\(member.value))")
                }
            }
        }
        out.line()
        out.doc(["Takes the members, each from its alignment."])
        try out.block("public init(from reader: inout WireReader) throws(RemoteCallError) {") { (out) in
            for member in members {
                var argument = ""
                if case .array(_, let count) = member.type.resolved { argument = "count: \(count)" }
                out.line("\(member.value) = try reader.read(\(argument))")
            }
        }
    }

    // MARK: Structs with data of their own

    private func capacity(_ out: inout SourceWriter) throws(IDLError) {
        let sized = members.compactMap { member in types.capacity(member.type).map { (member, type: $0) } }
        out.doc(["Room for a value that is returned."])
        try out.block("public struct Capacity: Hashable, Sendable {") { (out) throws(IDLError) in
            for (member, type) in sized {
                out.doc([types.capacityDoc(member.source)])
                out.line("public var \(member.escaped): \(type)")
            }
            out.line()
            try initializer(sized, &out)
        }
        out.line()
    }

    private func shape(_ out: inout SourceWriter) {
        let (full, counts) = (type.layout(.full).extent, type.layout(.counts).extent)
        let scalars = type.layout(.scalars).extent
        out.doc(["What its records take on the wire."])
        out.line("public static var recordShape: RecordShape {")
        out.line("    RecordShape(")
        out.line("        size: \(full.size), alignment: \(full.alignment), countsSize: \(counts.size),")
        out.line("        scalarsSize: \(scalars.size), scalarsAlignment: \(scalars.alignment))")
        out.line("}")
    }

    private func record(_ out: inout SourceWriter) throws(IDLError) {
        out.line()
        out.doc(["Adds the members to a call."])
        try out.block("public func send(in call: inout RemoteCall) throws(RemoteCallError) {") { (out) in
            for member in members { out.line(types.send(member.type, member.value, to: "call")) }
        }
        out.line()
        out.doc(["Adds room for the members."])
        out.line("public static func receive(")
        out.line("    _ capacity: Capacity, in call: inout RemoteCall")
        try out.block(") throws(RemoteCallError) {") { (out) in
            for member in members {
                if let line = types.receive(member.type, "capacity.\(member.name)", in: "call") {
                    out.line(line)
                }
            }
        }
        out.line()
        out.doc(["Takes the members that came back."])
        try out.block("public init(returnedBy call: inout RemoteCall) throws(RemoteCallError) {") { (out) in
            for member in members { out.line("\(member.value) = \(types.read(member.type, from: "call"))") }
        }
    }

    // MARK: For a skel

    /// The extension by which a struct with data of its own can be served.
    func writeServed(_ out: inout SourceWriter) throws(IDLError) {
        try out.block("extension \(types.name(type.name)): ServedValue {") { (out) throws(IDLError) in
            out.doc(["Takes the members that were sent."])
            try out.block("public init(sentIn call: inout IncomingCall) throws(RemoteCallError) {") { (out) in
                for member in members {
                    out.line("\(member.value) = \(types.take(member.type, from: "call"))")
                }
            }
            out.line()
            out.doc(["Takes the room for the members."])
            out.line("public static func capacity(")
            out.line("    in call: inout IncomingCall")
            try out.block(") throws(RemoteCallError) -> Capacity {") { (out) in
                let sized = members.compactMap { member in
                    types.takeCapacity(member.type, from: "call").map { (member, $0) }
                }
                for (member, capacity) in sized { out.line("let \(member.escaped) = \(capacity)") }
                out.list(
                    "return Capacity(", sized.map { "\($0.0.name): \($0.0.escaped)" }, ")",
                    limit: SwiftStub.lineLimit)
            }
            out.line()
            out.doc(["Returns the members."])
            try out.block("public func answer(_ call: inout IncomingCall) throws(RemoteCallError) {") { (out) in
                // The callee has written handles itself.
                for member in members where !member.type.isHandle {
                    out.line(types.answer(member.type, member.value, to: "call"))
                }
            }
        }
    }
}
